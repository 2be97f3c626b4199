//! Who may ask how often.

use ipnet::IpNet;
use tower_keep::{
    RateLimitLayer, Store,
    rate_limit::{Key, Policy, Quota},
};

use crate::{
    config::{Config, RateLimitConfig},
    error::StartError,
};

/// The layer that limits, if anything is to be limited.
pub(crate) fn build(store: &Store, config: &Config) -> Result<Option<RateLimitLayer>, StartError> {
    if config.rate_limits.is_empty() {
        return Ok(None);
    }
    let mut builder = RateLimitLayer::builder(store.clone());
    for limit in &config.rate_limits {
        builder = builder.policy(policy(limit, &config.trusted_proxies)?);
    }
    let layer = builder.build();
    layer
        .map(Some)
        .map_err(|error| StartError::because("rate_limits", error))
}

fn policy(limit: &RateLimitConfig, trusted: &[IpNet]) -> Result<Policy, StartError> {
    let quota = Quota::new(limit.limit, limit.window.0);
    let quota = match limit.burst {
        Some(burst) => quota.burst(burst),
        None => quota,
    };
    let policy = Policy::new(limit.name.as_str(), quota);
    if limit.by == "address" {
        let trusted = trusted.iter().map(ToString::to_string);
        return Ok(policy.by(Key::client_ip().trusted_proxies(trusted)));
    }
    let name = limit.by.strip_prefix("header:");
    let name = name.and_then(|name| http::HeaderName::from_bytes(name.as_bytes()).ok());
    let Some(name) = name else {
        let why = format!(
            "the rate limit {:?}: by {:?} is neither `address` nor `header:NAME`",
            limit.name, limit.by
        );
        return Err(StartError::new(why));
    };
    let key = Key::from_fn(move |request| single(request, &name));
    Ok(policy.by(key).allow_missing_key())
}

/// The one value of a field; two are none.
fn single(request: &http::request::Parts, name: &http::HeaderName) -> Option<Vec<u8>> {
    let mut lines = request.headers.get_all(name).iter();
    let value = lines.next()?.as_bytes();
    (lines.next().is_none() && !value.is_empty()).then(|| value.to_vec())
}
