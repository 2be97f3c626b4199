//! A Tower layer that limits the rate of requests.

mod answer;
mod body;
mod buckets;
mod charge;
mod deciding;
mod embedded;
mod error;
mod future;
mod handle;
mod key;
mod layer;
mod lease;
mod limits;
mod note;
mod place;
mod policy;
mod quota;
mod quotas;
mod rule;
mod service;
mod shared;
mod slots;
mod stats;
mod status;
mod verdict;
mod waiting;

pub use self::{
    answer::RefusalBody,
    body::ResponseBody,
    error::ConfigError,
    future::ResponseFuture,
    handle::{HandleError, RateLimitHandle},
    key::{ClientIp, Key, Subject},
    layer::{RateLimitLayer, RateLimitLayerBuilder},
    policy::Policy,
    quota::Quota,
    service::RateLimit,
    stats::RateLimitStats,
    status::{PolicyStatus, RateLimitStatus, Refusal},
};
