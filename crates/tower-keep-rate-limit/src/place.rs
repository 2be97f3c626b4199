//! Where buckets are: in this process alone, or on a server that processes share.

use std::{sync::Arc, time::Duration};

use smallvec::SmallVec;
use tokio::sync::oneshot;
use tower_keep_store::{Key, Store, StoreError};

use crate::{
    charge::{Charge, Charges, Records},
    embedded::Embedded,
    rule::{Record, Rule, micros},
    shared::Hub,
    slots::Held,
    verdict::Unsettled,
};

/// The buckets of a store.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Embedded(Arc<Embedded>),
    Shared(Arc<Hub>),
}

/// What was decided, or who will tell.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a box would cost every request an allocation"
)]
pub(crate) enum Answer {
    Now(Decision),
    /// Ends without a decision where the store fails.
    Later(oneshot::Receiver<Decision>),
    /// The store is known to fail.
    Failed,
}

/// What was decided about some charges.
#[derive(Debug)]
pub(crate) struct Decision {
    /// How often they were granted.
    pub(crate) granted: u64,
    /// Which of the shadows among them would have refused it, in their order; none where nothing is said.
    pub(crate) shadows: SmallVec<[bool; 2]>,
    /// The buckets as they are after it.
    pub(crate) records: Records,
    /// When it was decided, by the clock of whoever did.
    pub(crate) now: u64,
    /// By how much dearer a unit was than usual.
    pub(crate) factor: u64,
    pub(crate) source: Source,
    /// The slots that go with it.
    pub(crate) held: Option<Box<Held>>,
}

/// Who decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The store, for this request.
    Store,
    /// What this process knew of a refusal.
    Known,
    /// A permit that was taken in advance.
    Lease,
    /// This process's share, while the store fails.
    Share,
}

/// How a request wants to be decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) deadline: Duration,
    /// How much more than the limit leases may let through.
    pub(crate) epsilon: Option<f64>,
    /// How often the charges are wanted; as often as there is room for, if there is less.
    pub(crate) want: u64,
}

impl Place {
    pub(crate) fn of(store: &Store) -> Self {
        match store.server() {
            None => Self::Embedded(store.companion(|| Embedded::new(store))),
            Some(server) => Self::Shared(Hub::of(store, &server)),
        }
    }

    /// Decides all charges at once: either all are made or none.
    pub(crate) fn decide(&self, charges: &Charges, manner: Manner) -> Answer {
        match self {
            Self::Embedded(embedded) => Answer::Now(embedded.decide(charges, manner.want)),
            Self::Shared(hub) => hub.decide(charges, manner),
        }
    }

    /// Decides by this process's share, because the store fails.
    pub(crate) fn share(&self, charges: &Charges, want: u64) -> Decision {
        match self {
            Self::Embedded(embedded) => embedded.decide(charges, want),
            Self::Shared(hub) => hub.share(charges, want),
        }
    }

    /// Gives units of a charge back, or takes more where negative. Nobody waits for it.
    pub(crate) fn give_back(&self, unsettled: &Unsettled, units: i64) {
        let Unsettled {
            charge,
            back,
            share,
        } = unsettled;
        match (self, share) {
            (Self::Embedded(embedded), _) => embedded.give_back(charge, units, *back),
            (Self::Shared(hub), None) => hub.give_back(charge, units, *back),
            (Self::Shared(hub), Some(factor)) => hub.give_back_share(charge, units, *factor, *back),
        }
    }

    /// Whether this is the first failure since the store last answered.
    pub(crate) fn begins_to_fail(&self) -> bool {
        match self {
            Self::Embedded(_) => false,
            Self::Shared(hub) => hub.begins_to_fail(),
        }
    }

    /// Counts a refusal by this charge's bucket; true when there were `most` of them within a window.
    pub(crate) fn denied(&self, charge: &Charge, most: u32, now: u64) -> bool {
        let buckets = match self {
            Self::Embedded(embedded) => embedded.buckets(),
            Self::Shared(hub) => hub.buckets(),
        };
        let window = micros(charge.bound.quota.window());
        let mut locked = buckets.lock([&charge.bucket].into_iter());
        let denials = &mut locked.entry(&charge.bucket, now).denials;
        if now.saturating_sub(denials.since) > window {
            denials.count = 0;
            denials.since = now;
        }
        denials.count += 1;
        let is_enough = denials.count >= most;
        if is_enough {
            denials.count = 0;
        }
        is_enough
    }

    /// What is stored of a bucket now, and the time.
    pub(crate) async fn peek(
        &self,
        charge: &Charge,
        manner: Manner,
    ) -> Result<(Record, u64), StoreError> {
        let charges = Charges::from_iter([charge.clone()]);
        let answer = self.decide(
            &charges,
            Manner {
                want: 0,
                epsilon: None,
                ..manner
            },
        );
        let decision = match answer {
            Answer::Now(decision) => Some(decision),
            Answer::Later(decision) => decision.await.ok(),
            Answer::Failed => None,
        };
        let decision = decision.ok_or_else(StoreError::unavailable)?;
        let record = decision.records.into_iter().next().unwrap_or_default();
        Ok((record, decision.now))
    }

    /// Forgets what was used of a bucket, and its ban.
    pub(crate) async fn reset(
        &self,
        bucket: &Key,
        rule: &Rule,
        store: &Store,
    ) -> Result<(), StoreError> {
        match self {
            Self::Embedded(embedded) => {
                embedded.buckets().remove(bucket);
                Ok(())
            }
            Self::Shared(hub) => hub.reset(bucket, rule, store).await,
        }
    }

    /// Bans in the background.
    pub(crate) fn ban_soon(&self, charge: &Charge, ban: BanTerms, deadline: Duration) {
        match self {
            Self::Embedded(embedded) => embedded.ban(&charge.bucket, ban),
            Self::Shared(hub) => hub.ban_soon(charge.bucket, charge.bound.rule, ban, deadline),
        }
    }

    /// Bans a bucket, or lifts its ban with a length of zero.
    pub(crate) async fn ban(
        &self,
        bucket: &Key,
        rule: &Rule,
        ban: BanTerms,
        deadline: Duration,
    ) -> Result<(), StoreError> {
        match self {
            Self::Embedded(embedded) => {
                embedded.ban(bucket, ban);
                Ok(())
            }
            Self::Shared(hub) => hub.ban(bucket, rule, ban, deadline).await,
        }
    }
}

/// How long a ban is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BanTerms {
    pub(crate) length: Duration,
    /// Each ban in a row is twice as long as the one before, up to this.
    pub(crate) doubling_to: Option<Duration>,
}
