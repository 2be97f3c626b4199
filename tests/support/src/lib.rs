//! What the tests of tower-keep share.
//!
//! A test that talks to a stand-in proves little, and a test that sleeps proves it slowly. So
//! everything here is either real (a [`RedisServer`] of its own, a [`TcpProxy`] that cuts real
//! sockets) or driven by the test itself (a [`Gate`] that opens when the test says so, a
//! [`ScriptedBody`] whose next frame comes when it is allowed to).
//!
//! - [`RedisServer`]: a `redis-server` process on a free port, which can be killed, paused and
//!   restarted, and says which commands it ran.
//! - [`PostgresServer`]: a `postgres` process, where PostgreSQL is installed.
//! - [`Authority`]: certificates for servers that speak TLS, good ones and bad ones.
//! - [`TcpProxy`]: stands in front of an address and breaks the connections through it.
//! - [`Program`]: a process of its own that can be heard, told, paused and killed.
//! - [`Origin`]: a service that counts, records, and answers as scripted.
//! - [`ScriptedBody`]: a body made of frames, trailers, errors and gates; `Send`, not `Sync`.
//! - [`Gate`] and [`eventually`]: waiting without sleeping.
//! - [`Heard`]: what the process says in its logs.
//! - [`seed`] and [`Random`]: random schedules that can be repeated.
//!
//! This is a library for tests: what goes wrong in it panics, with a message that says what.

mod authority;
mod body;
mod eventually;
mod gate;
mod heard;
mod origin;
mod port;
mod postgres_server;
mod program;
mod random;
mod redis_server;
mod seed;
mod server;
mod tcp_proxy;

pub use self::{
    authority::{Authority, Certificate},
    body::{BodyError, ScriptedBody},
    eventually::{eventually, holds_within},
    gate::Gate,
    heard::Heard,
    origin::{InFlight, InFlightGuard, Origin, OriginError, OriginFuture, Seen},
    postgres_server::PostgresServer,
    program::{Builder as ProgramBuilder, Program},
    random::Random,
    redis_server::{Builder as RedisServerBuilder, RedisServer, Reply},
    seed::seed,
    tcp_proxy::{Builder as TcpProxyBuilder, Direction, TcpProxy},
};
