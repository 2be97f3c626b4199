//! A Tower layer that limits the rate of requests.

mod error;
mod quota;
mod rule;
mod status;

pub use self::{
    error::ConfigError,
    quota::Quota,
    status::{PolicyStatus, RateLimitStatus, Refusal},
};
