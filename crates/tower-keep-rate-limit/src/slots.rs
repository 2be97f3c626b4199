//! Slots of concurrency limits, held while a response is under way.

use std::{fmt, sync::Weak};

use smallvec::SmallVec;
use tower_keep_store::Key;

use crate::{buckets::Buckets, charge::Charges, embedded, rule::Rule, shared::Hub};

/// Slots that are given back when this is dropped.
pub(crate) struct Held {
    holder: Holder,
    slots: SmallVec<[Slot; 1]>,
}

/// So many slots of a bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) bucket: Key,
    pub(crate) rule: Rule,
    pub(crate) units: u64,
}

/// To whom they are given back.
pub(crate) enum Holder {
    Embedded(Weak<Buckets>),
    Shared(Weak<Hub>),
}

impl Held {
    /// The slots among what was granted; none if there are none.
    pub(crate) fn of(
        charges: &Charges,
        granted: u64,
        holder: impl FnOnce() -> Holder,
    ) -> Option<Box<Self>> {
        let slots: SmallVec<[Slot; 1]> = charges
            .iter()
            .filter(|charge| charge.is_for_slots())
            .map(|charge| Slot {
                bucket: charge.bucket,
                rule: charge.bound.rule,
                units: granted * u64::from(charge.cost),
            })
            .filter(|slot| slot.units > 0)
            .collect();
        (!slots.is_empty()).then(|| {
            Box::new(Self {
                holder: holder(),
                slots,
            })
        })
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        match &self.holder {
            Holder::Embedded(buckets) => embedded::release(buckets, &self.slots),
            Holder::Shared(hub) => {
                if let Some(hub) = hub.upgrade() {
                    hub.release(&self.slots);
                }
            }
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.slots).finish()
    }
}
