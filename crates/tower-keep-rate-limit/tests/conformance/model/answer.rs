//! What the model says of a request.

use std::time::Duration;

use tower_keep_rate_limit::Refusal;

use super::{Bucket, Charge, Model};
use crate::{
    spec::Spec,
    told::{Line, Told, fields},
};

impl Model {
    pub(super) fn tell(
        &self,
        charges: &[Charge],
        key: u8,
        is_granted: bool,
        shadows: &[bool],
        now: u64,
    ) -> Told {
        let mut shadows = shadows.iter().copied();
        let mut refusal = (!is_granted).then_some(Refusal::Exceeded);
        let mut lines = Vec::new();
        for charge in charges {
            let is_refused = match charge.is_shadow {
                true => shadows.next().expect("one for each shadow"),
                false => !is_granted,
            };
            let mut line = self.line(charge, key, is_refused, now);
            if charge.is_shadow && is_refused {
                // It says so even where all would be there at once.
                line.retry_after = line.retry_after.or(Some(Duration::ZERO));
            }
            let bucket = self.buckets.get(&(charge.policy, key));
            let is_banned = bucket.is_some_and(|bucket| bucket.banned(now) > 0);
            if line.retry_after.is_some() && !charge.is_shadow && is_banned {
                refusal = Some(Refusal::Banned);
            }
            lines.push(line);
        }
        let violated = lines.iter().filter(|line| !line.is_shadow);
        let wait = violated.filter_map(|line| line.retry_after).max();
        let retry_after = wait.filter(|_| refusal.is_some());
        let next = charges.iter().map(|charge| self.next(charge, key, now));
        self.with_fields(
            refusal,
            retry_after,
            lines,
            charges,
            &next.collect::<Vec<_>>(),
        )
    }

    pub(super) fn too_costly(&self, charges: &[Charge]) -> Told {
        let line = |charge: &Charge| Line {
            name: self.plan.policies[charge.policy].name.clone(),
            quota: charge.spec.quota(),
            remaining: 0,
            reset: Duration::ZERO,
            retry_after: None,
            is_shadow: false,
        };
        let lines = charges.iter().map(line).collect();
        let next = vec![0; charges.len()];
        self.with_fields(Some(Refusal::TooCostly), None, lines, charges, &next)
    }

    fn with_fields(
        &self,
        refusal: Option<Refusal>,
        retry_after: Option<Duration>,
        lines: Vec<Line>,
        charges: &[Charge],
        next: &[u64],
    ) -> Told {
        let mut told = Told {
            refusal,
            retry_after,
            lines,
            fields: None,
        };
        let specs: Vec<Spec> = charges.iter().map(|charge| charge.spec).collect();
        told.fields = Some(fields(&told, &specs, next));
        told
    }

    /// Microseconds until a unit more than is to be left for others is there.
    fn next(&self, charge: &Charge, key: u8, now: u64) -> u64 {
        let unused = Bucket::default();
        let bucket = self.buckets.get(&(charge.policy, key)).unwrap_or(&unused);
        let units = u64::from(charge.keep) + 1;
        let wait = bucket.used.wait(charge.spec, now, units);
        wait.max(bucket.banned(now))
    }

    pub(super) fn line(&self, charge: &Charge, key: u8, is_refused: bool, now: u64) -> Line {
        let unused = Bucket::default();
        let bucket = self.buckets.get(&(charge.policy, key)).unwrap_or(&unused);
        let (used, spec) = (&bucket.used, charge.spec);
        let banned = bucket.banned(now);
        let available = match banned {
            0 => used.available(spec, now),
            _ => 0,
        };
        let wait = banned.max(used.wait(spec, now, charge.needed()));
        let reset = banned.max(used.wait(spec, now, u64::from(spec.most())));
        Line {
            name: self.plan.policies[charge.policy].name.clone(),
            quota: spec.quota(),
            remaining: u32::try_from(available.saturating_sub(u64::from(charge.keep)))
                .expect("at most the burst"),
            reset: Duration::from_micros(reset),
            retry_after: (is_refused && wait > 0).then(|| Duration::from_micros(wait)),
            is_shadow: charge.is_shadow,
        }
    }
}
