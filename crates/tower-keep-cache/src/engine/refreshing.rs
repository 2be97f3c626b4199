//! What every refresh in the background asks for, whatever it fetches.

use std::sync::{Arc, atomic::Ordering};

use tokio::sync::OwnedSemaphorePermit;
use tower_keep_store::Timestamp;

use super::{
    Engine, early,
    entry::{Entry, Usability},
    envelope::Value,
    flight::Lead,
    lease::Seen,
};

impl<V: Value> Engine<V> {
    /// The right to fetch in the background, if not too many do.
    pub(crate) fn refresh_permit(&self) -> Option<OwnedSemaphorePermit> {
        let permit = self.refreshes.clone().try_acquire_owned().ok();
        if permit.is_none() {
            self.counts.unrefreshed.fetch_add(1, Ordering::Relaxed);
        }
        permit
    }

    /// Whether whoever is answered by this fresh entry refreshes it too.
    pub(crate) fn is_due(&self, entry: &Entry<V>, now: Timestamp) -> bool {
        early::is_due(&entry.meta, now, &self.lots) && self.may_refresh(entry, now)
    }

    /// Whether no refresh of this entry failed a moment ago.
    pub(crate) fn may_refresh(&self, entry: &Entry<V>, now: Timestamp) -> bool {
        self.throttle.admits(entry, now)
    }

    /// The lead of a refresh, unless somebody has it. What is not kept in the process others find in the store
    /// meanwhile: they do not wait for it. Nor do those who follow because it is not in the process any more.
    pub(crate) fn lead_refresh(&self, entry: &Arc<Entry<V>>, flight: &[u8]) -> Option<Lead<V>> {
        if !entry.meta.first_level {
            return self.flights.lead(&[flight, b"r"].concat());
        }
        let lead = self.flights.lead(flight)?;
        lead.leaves(entry.clone());
        Some(lead)
    }

    /// The lead of a fetch that goes on after this entry has stood in: followed, unless somebody else is.
    pub(crate) fn lead_on(&self, entry: &Arc<Entry<V>>, flight: &[u8]) -> Lead<V> {
        let followed = self.lead_refresh(entry, flight);
        followed.unwrap_or_else(|| self.flights.lead_nobody(flight))
    }

    /// Puts the next refresh of this entry off.
    pub(crate) fn pause(&self, entry: &Entry<V>, now: Timestamp) {
        self.throttle.pause(entry, now);
    }

    /// What another process has fetched meanwhile, if it has; and what is in the store. One round trip.
    pub(crate) async fn replacement(&self, of: &Entry<V>) -> (Option<Arc<Entry<V>>>, Seen) {
        let looked = self.look(&of.key).await;
        let replaces = |(found, usability)| self.replaces(found, usability, of);
        let replacement = looked.found.and_then(replaces);
        (replacement, looked.seen.unwrap_or(Seen::ANY))
    }

    fn replaces(
        &self,
        found: Arc<Entry<V>>,
        usability: Usability,
        of: &Entry<V>,
    ) -> Option<Arc<Entry<V>>> {
        let is_another = !found.meta.is_same_fetch(&of.meta);
        // One whose clock runs behind may have fetched another, and not a later one.
        let is_later = found.meta.fresh_until > of.meta.fresh_until
            || of.usability(self.log(), self.now()) != Usability::Fresh;
        (usability == Usability::Fresh && is_another && is_later).then_some(found)
    }
}
