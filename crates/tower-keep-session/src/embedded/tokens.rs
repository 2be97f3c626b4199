//! Tokens that were revoked.

use std::collections::{BTreeMap, HashMap};

use tower_keep_store::Key;

/// Until when which tokens count as revoked. Never forgotten for want of memory: they would be good again.
#[derive(Default)]
pub(super) struct Tokens {
    revoked: HashMap<Key, (u64, u64)>,
    order: BTreeMap<(u64, u64), Key>,
    counter: u64,
}

impl Tokens {
    pub(super) fn contains(&self, token: &Key) -> bool {
        self.revoked.contains_key(token)
    }

    pub(super) fn revoke(&mut self, token: Key, until: u64) {
        if self
            .revoked
            .get(&token)
            .is_some_and(|before| before.0 >= until)
        {
            return;
        }
        self.counter += 1;
        let place = (until, self.counter);
        if let Some(before) = self.revoked.insert(token, place) {
            self.order.remove(&before);
        }
        self.order.insert(place, token);
    }

    pub(super) fn expire(&mut self, now: u64) {
        while let Some((&(until, counter), token)) = self.order.first_key_value() {
            if until > now {
                return;
            }
            self.revoked.remove(token);
            self.order.remove(&(until, counter));
        }
    }
}
