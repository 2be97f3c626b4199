//! `CacheLayer` in an axum application with limits inside it, over real sockets.

mod bodies;
mod limits;
mod server;
mod sharing;
mod visitor;
