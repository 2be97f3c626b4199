//! The gateway over real sockets, in front of origins that the tests script.

mod admin;
mod caching;
mod classes;
mod common;
mod hostile;
mod limits;
mod malformed;
mod pitfalls;
mod program;
mod proxying;
mod tls;
