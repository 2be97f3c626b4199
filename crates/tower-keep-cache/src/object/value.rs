//! Values as the engine keeps them.

use std::{io, sync::Arc};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::engine::envelope::Value;

/// A value that readers share, and about what it weighs.
pub(crate) struct Object<T> {
    pub(super) value: Arc<T>,
    pub(super) weight: usize,
}

impl<T: Serialize> Object<T> {
    pub(super) fn new(value: Arc<T>) -> Self {
        let mut counter = Counter(0);
        // What cannot be written cannot be weighed either; it stays out of both levels.
        let written = rmp_serde::encode::write_named(&mut counter, &*value);
        let weight = written.map_or(usize::MAX, |()| counter.0);
        Self { value, weight }
    }
}

impl<T> Value for Object<T>
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    const KIND: u8 = 2;

    fn encode(&self, out: &mut Vec<u8>) -> bool {
        // With the names of fields, so that versions of a type that differ by one can read each other.
        rmp_serde::encode::write_named(out, &*self.value).is_ok()
    }

    fn decode(bytes: Bytes) -> Option<Self> {
        let value = rmp_serde::from_slice(&bytes).ok()?;
        Some(Self {
            value: Arc::new(value),
            weight: bytes.len(),
        })
    }

    fn weight(&self) -> usize {
        self.weight
    }
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
