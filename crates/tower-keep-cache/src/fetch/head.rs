//! What an answer to HEAD says of the stored answer to GET (RFC 9111 §4.3.5).

use http::response;

use super::{asking::Asking, renewal::confirmed};
use crate::{
    engine::entry::{Entry, Meta},
    http::{
        entry::{Stored, StoredResponse, kept_headers},
        freshness::initial_age,
        head::{Agreement, agreement},
        labels::{check_number, hide},
        refusal::Refusal,
        said::Said,
    },
    shared::variant_key,
};

impl Asking {
    /// "When a cache … receives a 200 (OK) response, the cache SHOULD update or invalidate each of its stored GET
    /// responses that could have been chosen for that request": the one that this process knows, in both levels.
    pub(super) fn heed_head(&self, known: &Entry<Stored>, head: &response::Parts) {
        let Some(stored) = known.value.response() else {
            return;
        };
        if *known.key != *self.key || !self.is_still_there(known) {
            return;
        }
        let trusts_bare = self.shared.storing.policy.trusts_bare_heads;
        let updated = match agreement(stored, &head.headers) {
            Agreement::None => None,
            Agreement::Bare if !trusts_bare => return,
            Agreement::Bare | Agreement::Validated => self.updated(known, stored, head).ok(),
        };
        if let Some(entry) = updated.or_else(|| self.outdated(known, stored)) {
            self.shared.engine.insert(entry);
        }
    }

    /// Whoever stored something since knows better.
    fn is_still_there(&self, known: &Entry<Stored>) -> bool {
        let engine = &self.shared.engine;
        let present = engine.first(&known.key, engine.present());
        present.is_some_and(|(present, _)| present.meta.received == known.meta.received)
    }

    /// With the fields of the answer to HEAD. It says nothing of what was invalidated meanwhile, so the entry
    /// stays where it stood in the log.
    fn updated(
        &self,
        known: &Entry<Stored>,
        stored: &StoredResponse,
        head: &response::Parts,
    ) -> Result<Entry<Stored>, Refusal> {
        let times = self.times();
        let head = confirmed(stored, head.clone());
        let plan = self.storage_plan(&head, times)?;
        if !self.is_this_variant(known, plan.variance.as_deref()) {
            return Err(Refusal::Vary);
        }
        let mut targets = known.meta.targets.to_vec();
        targets.extend(
            plan.targets
                .iter()
                .filter(|target| !known.meta.targets.contains(target)),
        );
        check_number(&mut targets)?;
        let meta = Meta {
            targets: targets.into(),
            received: times.received,
            fresh_until: plan.fresh_until,
            stale_until: plan.fresh_until + plan.stale_while_revalidate,
            error_until: plan.fresh_until + plan.stale_if_error,
            kept_until: plan.fresh_until + plan.keep,
            ..known.meta.clone()
        };
        let mut headers = kept_headers(&head, times.received);
        hide(&self.shared.hidden, &mut headers);
        for name in self.shared.storing.withheld(&head.headers) {
            headers.remove(name);
        }
        let response = StoredResponse {
            headers,
            initial_age: initial_age(&head.headers, times),
            shared_with: plan.shared_with,
            said: Said::default(),
            ..stored.clone()
        };
        let key = known.key.clone();
        Ok(Entry::new(key, meta, Stored::Response(response)))
    }

    /// "Otherwise, the cache SHOULD consider the stored response to be stale"; nothing if it is.
    fn outdated(&self, known: &Entry<Stored>, stored: &StoredResponse) -> Option<Entry<Stored>> {
        let now = self.shared.engine.now();
        let meta = Meta {
            fresh_until: known.meta.fresh_until.min(now),
            stale_until: known.meta.stale_until.min(now),
            ..known.meta.clone()
        };
        let response = Stored::Response(stored.clone());
        (meta != known.meta).then(|| Entry::new(known.key.clone(), meta, response))
    }

    /// Whether a response that varies so would be stored where the entry is.
    fn is_this_variant(&self, known: &Entry<Stored>, names: Option<&[http::HeaderName]>) -> bool {
        match names {
            None => *self.resource == *known.key,
            Some(names) => {
                let digest = self.shared.variant_of(names, &self.headers);
                *variant_key(&self.resource, &digest) == *known.key
            }
        }
    }
}
