//! A gateway in front of an origin that the test scripts, both on real sockets.

mod origin;
mod raw;
mod reply;
mod site;
mod tls;

pub(crate) use self::{
    origin::{Listening, Origin, respond},
    raw::{ask, exchange, open, read_to_end},
    reply::Reply,
    site::Site,
    tls::{Trusted, acceptor},
};

/// Long enough for anything that is to come at all.
pub(crate) const SOON: std::time::Duration = std::time::Duration::from_secs(10);
