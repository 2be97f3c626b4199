//! Looking without touching.

use std::sync::Arc;

use tower_keep_store::StoreError;

use super::{
    Engine,
    entry::Entry,
    envelope::{self, Value},
};

impl<V: Value> Engine<V> {
    /// What the first level has, usable or not. Nothing is counted, moved or taken out.
    pub(crate) fn peek_first(&self, key: &[u8]) -> Option<Arc<Entry<V>>> {
        self.first.peek(key)
    }

    /// What the store has, usable or not. Nothing is kept of it. What cannot be read is nothing.
    ///
    /// # Errors
    ///
    /// The store did not answer in time.
    pub(crate) async fn peek_store(&self, key: &[u8]) -> Result<Option<Arc<Entry<V>>>, StoreError> {
        let record = self.read(key).await?;
        Ok(record
            .and_then(|record| envelope::decode(record, key))
            .map(Arc::new))
    }
}
