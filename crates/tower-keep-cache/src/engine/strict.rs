//! Catching up with the log before anything stored is used.

use bytes::Bytes;
use tower_keep_store::{Moment, StoreError};

use super::Engine;
use crate::engine::envelope::Value;

/// What the store had under a key, asked in the same round trip as the end of the log.
#[derive(Debug)]
pub(crate) struct Ahead {
    key: Vec<u8>,
    pub(crate) record: Result<Option<Bytes>, StoreError>,
    pub(crate) asked: Moment,
}

impl Ahead {
    /// Takes it, if it is of this key.
    pub(crate) fn take(ahead: &mut Option<Self>, key: &[u8]) -> Option<Self> {
        ahead.take_if(|ahead| ahead.key == key)
    }
}

impl<V: Value> Engine<V> {
    /// Catches up with the log, and reads what the store has under `absent`, the key of an entry that is
    /// not here, in the same round trip.
    ///
    /// # Errors
    ///
    /// The log could not be read in time: nothing that is stored may be used.
    pub(crate) async fn catch_up(
        &self,
        absent: Option<Vec<u8>>,
    ) -> Result<Option<Ahead>, StoreError> {
        let log = self.log();
        let asked = log.moment();
        let catching_up = log.catch_up(self.store.step_deadline());
        let Some(key) = absent.filter(|_| !self.store.is_embedded()) else {
            catching_up.await?;
            return Ok(None);
        };
        let (caught_up, record) = tokio::join!(catching_up, self.read(&key));
        caught_up?;
        Ok(Some(Ahead { key, record, asked }))
    }
}
