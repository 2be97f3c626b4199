//! How large things may be.

use serde::Deserialize;

/// How large requests may be, and how many there may be at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    /// Bytes of a request's head. At least 8192. Default: 65 536.
    pub head: usize,
    /// Lines in a request's head. Default: 100.
    pub fields: usize,
    /// Bytes of a request's body. Default: none.
    pub body: Option<u64>,
    /// Connections of clients; more have to wait. Default: 10 000.
    pub connections: usize,
    /// Requests with the origin, until it begins to answer; more have to wait. Default: 1024.
    pub origin_requests: usize,
}

impl Bounds {
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.head < 8192 || u32::try_from(self.head).is_err() {
            return Err("bounds.head: 8192 bytes at least, under 4 GiB");
        }
        if self.fields == 0 || self.connections == 0 || self.origin_requests == 0 {
            return Err("bounds: a bound of 0 would let nothing through");
        }
        Ok(())
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            head: 64 << 10,
            fields: 100,
            body: None,
            connections: 10_000,
            origin_requests: 1024,
        }
    }
}
