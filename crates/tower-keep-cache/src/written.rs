//! What a write says when its change was made.

use tower_keep_store::{Stamp, StoreError};

/// A change that was made, and whether those elsewhere know of it.
///
/// In this process what depends on it is invalidated in any case, at once. While the store cannot be reached the
/// record waits, and is written when it can be, if this process lives until then.
///
/// ```
/// # use tower_keep_cache::Written;
/// # use tower_keep_store::StoreError;
/// # fn report(written: Written<u64>) -> Result<u64, StoreError> {
/// let version = written.into_told()?; // or: written.value, for whom it is enough that the change was made
/// # Ok(version)
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "whether others know of the change is in `told`"]
pub struct Written<T> {
    /// What the change gave.
    pub value: T,
    /// Whether the record stands in the log. If it does, no [strict](crate#how-new-a-hit-is) reader in any process
    /// who asks from now on is served the state before; others are for about a millisecond more. Only while this is
    /// an error strict readers elsewhere may be, too, until the record is written: who has to know that it was can
    /// [invalidate](crate::CacheHandle::invalidate) the same once more.
    pub told: Result<(), StoreError>,
}

impl<T> Written<T> {
    pub(crate) fn new(value: T, ended: Result<Stamp, StoreError>) -> Self {
        Self {
            value,
            told: ended.map(drop),
        }
    }

    /// What the change gave, for who may go on only if others know of it.
    ///
    /// # Errors
    ///
    /// The record is not known to stand yet. The change was made all the same.
    pub fn into_told(self) -> Result<T, StoreError> {
        self.told.map(|()| self.value)
    }
}
