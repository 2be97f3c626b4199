//! A gateway in front of an origin that the test scripts, both on real sockets.

mod origin;
mod raw;
mod reply;
mod site;

use tower_keep_test_support::RedisServer;

pub(crate) use self::{
    origin::{Origin, respond},
    raw::{ask, exchange, open, read_to_end},
    reply::Reply,
    site::Site,
};

/// Long enough for anything that is to come at all.
pub(crate) const SOON: std::time::Duration = std::time::Duration::from_secs(10);

/// A store on this server, which a busy machine may keep waiting.
pub(crate) fn on(redis: &RedisServer) -> String {
    format!("store = '{}'\ntimeouts = {{ store = '10s' }}", redis.url())
}
