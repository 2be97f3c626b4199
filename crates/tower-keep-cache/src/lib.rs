//! A Tower layer that caches HTTP responses.
#![doc = ""]

mod body;
mod class;
mod directive;
mod engine;
mod fetch;
mod fill;
mod future;
mod handle;
mod http;
mod layer;
mod object;
mod service;
mod shared;
mod tee;
mod unsafe_method;

pub use self::{
    body::ResponseBody,
    class::{Class, Classes, ConfigError},
    directive::{CacheDirective, Tag},
    engine::CacheStats,
    future::ResponseFuture,
    handle::CacheHandle,
    http::{key::QueryRules, status::CacheStatus},
    layer::{CacheLayer, CacheLayerBuilder},
    object::{CacheKey, Fence, ObjectCache},
    service::Cache,
};
