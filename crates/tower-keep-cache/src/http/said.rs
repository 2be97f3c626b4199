//! The fields of the last answer from an entry, for the next one.

use std::{
    fmt,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use http::HeaderMap;

use super::status::Report;

/// Fields as they were said last. They change with the seconds of age and lifetime only, and an entry
/// that is worth having answers far more often; one that answers once need not remember.
#[derive(Default)]
pub(crate) struct Said {
    has_spoken: AtomicBool,
    last: RwLock<Option<Saying>>,
}

struct Saying {
    age: u64,
    report: Report,
    fields: HeaderMap,
}

impl Said {
    /// The fields for this age and report; made if they were others last time.
    pub(crate) fn fields(
        &self,
        age: u64,
        report: Report,
        make: impl FnOnce() -> HeaderMap,
    ) -> HeaderMap {
        if !self.has_spoken.load(Ordering::Relaxed) {
            self.has_spoken.store(true, Ordering::Relaxed);
            return make();
        }
        {
            let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(last) = &*last
                && last.age == age
                && last.report == report
            {
                return last.fields.clone();
            }
        }
        let fields = make();
        let saying = Saying {
            age,
            report,
            fields: fields.clone(),
        };
        *self.last.write().unwrap_or_else(PoisonError::into_inner) = Some(saying);
        fields
    }
}

/// What was said is no part of what is stored.
impl Clone for Said {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Said {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Said {}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Said")
    }
}
