//! What every layer of tower-keep must do, and must not do.
//!
//! A layer looks right in a test that calls it once, over a service that is always ready, with a
//! body of one frame, for a client that waits. It breaks in production over a service that is
//! full, under a client that left, with a stream that never ends. This suite is those cases,
//! written once:
//!
//! - [`readiness`]: the instance that is called is the one that was readied; nothing is reserved
//!   for ever.
//! - [`cancellation`]: a client can leave at every await and after every frame.
//! - [`bodies`]: frames, trailers, size hints, ends and errors pass as they come, when they come.
//! - [`errors`]: the inner error comes out as it is; a panic harms nobody else.
//! - [`messages`]: methods, URIs, fields, extensions and statuses pass untouched.
//! - [`Wraps`]: what the types promise, checked by the compiler.
//! - [`stacks`]: all of it once more in axum, hyper and tonic, over real sockets.
//!
//! ```
//! use tower::layer::util::Identity;
//! use tower_keep_contract::Contract;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let contract = Contract::new(Identity::new);
//! contract.run().await;
//! contract.run_on_stacks().await;
//! # }
//! ```
//!
//! Nothing here depends on a layer of tower-keep, and no check waits for time to pass: what it
//! waits for comes at once or, after [`Contract::patience`], is a broken rule. Do not pause
//! tokio's clock around it.
//!
//! Every check is shown to be able to fail: `tests/` holds a layer for each that breaks just its
//! rule.

mod broken;
mod contract;
mod exchange;
mod inner;
mod kind;
mod polling;
mod probe;
mod rig;
mod rules;
mod script;
mod server;
pub mod stacks;
mod transcript;
mod wraps;

pub use self::{
    broken::{Broken, Kept},
    contract::{Contract, Readiness},
    inner::{Inner, InnerError},
    rules::{bodies, cancellation, errors, messages, readiness},
    wraps::Wraps,
};
