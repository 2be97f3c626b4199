//! Who may ask how often: all in one place.

use std::time::Duration;

use http::StatusCode;
use tower_keep::{
    RateLimitLayer, Store,
    rate_limit::{Key, Policy, Quota},
};

use crate::{accounts::Credentials, error::StartError};

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

/// Limits failures of signing in. Only those count: whoever knows the password signs in as often as they like.
///
/// By address *and* account, so that nobody can lock the owner of an account out from elsewhere; and, less
/// strictly, by address alone, for those who try one password on every account.
pub(crate) fn failed_logins(store: &Store) -> Result<RateLimitLayer, StartError> {
    let policy = |name, failures| {
        let quota = Quota::new(failures, Duration::from_secs(15 * 60)).strict();
        Policy::new(name, quota).count_if(|response| response.status == StatusCode::UNAUTHORIZED)
    };
    let account = Key::from_fn(|request| {
        let credentials = request.extensions.get::<Credentials>()?;
        Some(credentials.email().as_bytes().to_vec())
    });
    RateLimitLayer::builder(store.clone())
        .policy(policy("failed-login", 5).by(Key::from(Key::client_ip()).and(account)))
        .policy(policy("failed-logins", 50))
        .fields(false)
        .build()
        .map_err(|error| StartError::because("the limit of failed logins cannot be set up", error))
}
