//! What the benchmarks measure, and what they measure it against.
//!
//! A layer is worth what it costs *more* than the handler that it wraps, so every figure here has a
//! baseline that is called in the same way, in the same run: the [`Bare`] handler that returns the
//! same bytes; or [`BareGet`], a handler that does one `GET` on a multiplexed connection and nothing
//! else; or [`BareScript`], one that does one `EVALSHA`; or [`BarePipeline`], one that reads one hash.
//!
//! - `cargo bench -p tower-keep-bench` runs everything; `--bench cache`, `--bench coherence`, `--bench rate_limit`,
//!   `--bench session` and `--bench hit_rate` the services in process, `--bench lease` several of them, `--bench http`
//!   the same over sockets, and beside them what else there is. All
//!   end with a table that has the targets beside the figures. The machine should be quiet: the two
//!   columns of a row were measured one after the other.
//! - `cargo bench -p tower-keep-bench --bench cache -- first-level` runs what has that in its name; so
//!   does `--bench http -- rate-limit/denied`. There, `--quick` is for a first look.
//! - `tests/` counts what does not depend on the machine's load: allocations, calls, bytes. Those are
//!   tests like any other, and a bound that is exceeded fails them.
//!
//! Redis is a real `redis-server` of the run's own.

mod connection;
mod evalsha;
mod exchange;
mod handler;
mod load;
mod measure;
mod peer_sessions;
mod pipeline;
mod ready;
pub mod report;
mod request;
mod second_level;
mod session_handlers;
mod shared_limits;
mod shared_sessions;

pub use self::{
    connection::store_on,
    evalsha::BareScript,
    exchange::{exchange, first_frame},
    handler::{BODY_BYTES, Bare, BareGet, bare_response},
    load::Load,
    measure::{criterion, figures, measure},
    peer_sessions::{PeerReads, PeerSessions},
    pipeline::BarePipeline,
    ready::now,
    request::{
        MERCHANT, Request, from_address, from_merchant, get, head, options, post, revalidating,
        with_cookie,
    },
    second_level::SecondLevel,
    session_handlers::{Reads, Writes},
    shared_limits::{SharedLimits, plenty, scarce},
    shared_sessions::{SharedSessions, signed_in},
};
