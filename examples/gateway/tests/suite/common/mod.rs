//! A gateway in front of an origin that the test scripts, both on real sockets.

mod origin;
mod raw;
mod reply;
mod site;
mod tls;

use tower_keep_test_support::{RedisServer, eventually};

pub(crate) use self::{
    origin::{Listening, Origin, respond},
    raw::{ask, exchange, open, read_to_end, read_until},
    reply::Reply,
    site::Site,
    tls::{Trusted, acceptor},
};

/// Long enough for anything that is to come at all.
pub(crate) const SOON: std::time::Duration = std::time::Duration::from_secs(10);

/// A store on this server, which a busy machine may keep waiting.
fn on(redis: &RedisServer) -> String {
    format!("store = '{}'\ntimeouts = {{ store = '10s' }}", redis.url())
}

/// Two gateways on this server, in front of an origin that lets everything be kept.
pub(crate) async fn two_on(redis: &RedisServer, origin: &Origin, config: &str) -> (Site, Site) {
    let config = format!("{}\n{config}", on(redis));
    let one = Site::new(origin, &config).await;
    let two = Site::new(origin, &config).await;
    // Nothing is kept until the log has been heard.
    for (site, path) in [(&one, "/one"), (&two, "/two")] {
        eventually(SOON, async || site.get(path).await.is_hit()).await;
    }
    (one, two)
}
