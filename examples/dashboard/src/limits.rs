//! Who may ask how often: all in one place.

use tower_keep::{
    RateLimitLayer, Store,
    rate_limit::{Key, Policy, Quota},
};

use crate::error::StartError;

/// How often clients may ask for what is under `/api`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests a second of one client address.
    pub address_per_second: u32,
}

impl Limits {
    /// More than any load sends: for tests and measurements of something else.
    pub const NONE_REACHES: Self = Self {
        address_per_second: 1_000_000,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            address_per_second: 500,
        }
    }
}

/// Builds the layer. Both policies are decided at once: what one refuses, the
/// other does not count.
pub(crate) fn build(store: &Store, limits: Limits) -> Result<RateLimitLayer, StartError> {
    RateLimitLayer::builder(store.clone())
        .policy(merchant())
        .policy(Policy::new(
            "address",
            Quota::per_second(limits.address_per_second),
        ))
        .build()
        .map_err(|error| StartError::because("the rate limit cannot be set up", error))
}

/// Nobody verifies here that a merchant is who it says, because this is a
/// demonstration; on the internet, a gateway would have. Whoever leaves the name
/// out, or makes up names, is left with what the address may have.
fn merchant() -> Policy {
    Policy::new("merchant", Quota::per_minute(100))
        .by(Key::header("x-merchant-id"))
        .allow_missing_key()
}
