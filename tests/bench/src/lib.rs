//! What the benchmarks measure, and what they measure it against.
//!
//! A layer is worth what it costs *more* than the handler that it wraps, so every figure here has a
//! baseline that is called in the same way, in the same run: the [`Bare`] handler that returns the
//! same bytes, or [`BareGet`], a handler that does one `GET` on a multiplexed connection and nothing
//! else.
//!
//! - `cargo bench -p tower-keep-bench` runs everything; `--bench cache` the services in process,
//!   `--bench http` the same over sockets. Both end with a table that has the targets beside the
//!   figures. The machine should be quiet: the two columns of a row were measured one after the other.
//! - `cargo bench -p tower-keep-bench --bench cache -- first-level` runs what has that in its name.
//! - `tests/allocations.rs` counts allocations. They do not depend on the machine's load, so that is a
//!   test like any other, and a bound that is exceeded fails it.
//!
//! Redis is a real `redis-server` of the run's own.

mod exchange;
mod handler;
mod load;
mod ready;
mod request;
mod second_level;

pub use self::{
    exchange::{exchange, first_frame},
    handler::{BODY_BYTES, Bare, BareGet, bare_response},
    load::Load,
    ready::now,
    request::{Request, get, head, options, post, revalidating},
    second_level::SecondLevel,
};
