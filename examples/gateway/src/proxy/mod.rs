//! The way out: one origin, on pooled connections, both bodies streamed.

mod body;
mod client;
mod connection;
mod error;
mod forwarded;
pub(crate) mod hop_by_hop;
mod origin_url;
mod outgoing;
mod service;
mod tunnel;
mod upload;

pub(crate) use self::{
    body::{OriginBody, RequestBody},
    error::ProxyError,
    origin_url::OriginUrl,
    outgoing::ADDED_FIELDS,
    service::Proxy,
};
