//! A Tower layer for sessions that lose no write and come back from no logout.

mod answer;
mod cookie;
mod core;
mod cross_origin;
mod device;
mod embedded;
mod error;
#[cfg(feature = "axum")]
mod extract;
mod future;
mod handle;
mod label;
mod layer;
mod lifetimes;
mod manager;
mod place;
mod record;
mod revoked;
mod service;
mod session;
mod sessions;
mod shared;
mod ticket;
mod transport;
mod typed;

pub use self::{
    cookie::{SameSite, SessionCookie},
    cross_origin::{CrossOrigin, CrossOriginFuture, CrossOriginLayer, CrossOriginLayerBuilder},
    device::Device,
    error::SessionError,
    future::ResponseFuture,
    handle::SessionHandle,
    layer::{SessionLayer, SessionLayerBuilder},
    manager::SessionStats,
    revoked::Revoked,
    service::SessionManager,
    session::{Map, Session},
    sessions::Sessions,
    transport::Transport,
};
pub use tower_keep_store::{ConfigError, ResponseBody};
