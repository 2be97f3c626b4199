//! The store that tower-keep's layers share: a Redis server behind a pool, or memory of this process.
//!
//! # What happens to a step
//!
//! 1. An open circuit breaker refuses it at once.
//! 2. A multiplexed connection is checked out of a [bb8](bb8_redis::bb8) pool, cloned and given back: the
//!    guard never lives over a command, so concurrent steps share round trips.
//! 3. The command goes out, with those of all requests that are ready in the same turn of the runtime: one
//!    write, one read of the server, one answer (not through TLS). Checkout and answer together have the
//!    store's deadline (50 ms).
//! 4. An answer, whatever it says, is a sign of life. Three time-outs in a row, a broken connection or a
//!    demoted master condemn the connection, and bb8 replaces it in the background. Five failures in a
//!    row open the breaker; a probe, ten times a second, closes it when the server answers.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use tower_keep_store::{Key, Store};
//!
//! // Or "redis://127.0.0.1": the same from here on.
//! let store = Store::connect("memory:")?;
//! let key = Key::new("example", b"a");
//! store.put(&key, "value".into(), Duration::from_secs(60)).await?;
//! assert_eq!(store.get(&key).await?.as_deref(), Some(&b"value"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! * **No request waits longer than its deadline.** A service starts while Redis is down, and finds it
//!   within a second when it comes.
//! * **Every record has a time to live**, in milliseconds. No `KEYS`, no `SCAN`, no `FLUSH`.
//! * **A dropped or timed-out step may still be carried out.** A read is harmless; a time-out of a write
//!   is [said to be one](StoreError::is_timeout) and is not repeated. Only a script that the server does
//!   not know is sent again.
//! * **Secrets stay out** of logs, `Debug` and errors: spans name commands, never keys or values; a URL is
//!   never repeated.
//!
//! # In Redis
//!
//! | key | type | time to live |
//! |---|---|---|
//! | `namespace:kind:{digest}` | string | as its writer says |
//! | `namespace:p:{digest}` | sorted set, see [`Processes`] | 3 s, renewed each second |
//! | `namespace:log` | stream, see [`InvalidationLog`] | a day, renewed by every process |
//! | `namespace:log:checkpoint` | string: the log, folded | the same |
//!
//! # Features
//!
//! `tls`: `rediss://` URLs, with rustls, ring, and the certificates of the operating system.
//!
//! # The invalidation log: a proof
//!
#![doc = include_str!("log/proof.md")]

mod body;
mod clock;
mod command;
mod error;
mod evictions;
mod key;
mod log;
mod memory;
mod observer;
mod outcome;
mod processes;
mod redis;
mod request;
mod server;
mod store;

pub use self::{
    body::{ResponseBody, with_bytes},
    clock::{Clock, Timestamp},
    command::{Command, Reply},
    error::{ConfigError, ConnectError, StoreError},
    evictions::{Evictions, Level},
    key::{Key, PersonalKey, push_part},
    log::{
        Consistency, Doubt, Invalidation, InvalidationLog, Invalidations, Mode, Moment, Stamp,
        Target, Verdict,
    },
    observer::{Lookup, LookupKind, Observer, Watch},
    outcome::{Outcome, OutcomeCell, Told},
    processes::Processes,
    request::{Identity, PeerAddr, PersonalCell},
    server::{Script, Server},
    store::{Store, StoreBuilder},
};
