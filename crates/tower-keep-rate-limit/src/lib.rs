//! A Tower layer that limits the rate of requests: exact, shared between processes, nearly free.
//!
//! # What happens to a request
//!
//! 1. Each [`Policy`] says which bucket the request belongs to (by header, client address, user …), what it
//!    costs there and what the [`Quota`] is. A request that costs more than a quota ever has at once is
//!    refused; a request that no policy concerns is passed on.
//! 2. Where what this process knows of a bucket leaves no other answer, the request is refused at once,
//!    without a call. With [leases](RateLimitLayerBuilder::allow_leases), one for which there is a permit is
//!    passed on at once.
//! 3. Otherwise the store decides all policies together, in one step: either all of them are charged or
//!    none. Requests that come meanwhile share the next round trip, and are granted in their order.
//! 4. If it may pass, the inner service is called (the instance that was readied), with a
//!    [`RateLimitStatus`] in the extensions. Its response gets `RateLimit-Policy` and `RateLimit`. What its
//!    [outcome](Policy::outcome_cost) gives back goes back in the background; a slot of a
//!    [concurrent](Quota::concurrent) quota goes back with the last frame of the body.
//! 5. If not, the answer is 429, with `Retry-After`, the same two fields, `Cache-Control: no-store` and a
//!    problem in JSON (RFC 9457); for a call of gRPC (a `POST`), status 8 with `RetryInfo`. The inner service
//!    is not called, and what it had reserved for the request is given back. Layers further out find the
//!    [`RateLimitStatus`] in the extensions of the response: to log it, say.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer};
//! use tower_keep_store::Store;
//!
//! // Or Store::connect("redis://127.0.0.1")?: the same from here on, shared by all processes.
//! let store = Store::memory();
//! let per_merchant = Policy::new("merchant", Quota::per_minute(100)).by(Key::header("x-merchant-id"));
//! let layer = RateLimitLayer::builder(store).policy(per_merchant).build()?;
//!
//! let service = layer.layer(service_fn(async |_: http::Request<String>| {
//!     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
//! }));
//! for _ in 0..100 {
//!     let request = http::Request::builder().header("x-merchant-id", "m-42").body(String::new())?;
//!     assert_eq!(service.clone().oneshot(request).await?.status(), 200);
//! }
//! let request = http::Request::builder().header("x-merchant-id", "m-42").body(String::new())?;
//! let refusal = service.clone().oneshot(request).await?;
//! assert_eq!(refusal.status(), 429);
//! assert_eq!(refusal.headers()["retry-after"], "1");
//! # Ok(())
//! # }
//! ```
//!
//! (A hundred at once, that is, and then one each 0.6 s: in the first minute up to 199 can pass. Where it must
//! never be more than 100 in *any* minute, add [`.strict()`](Quota::strict).)
//!
//! # What it promises
//!
//! * **Exact.** A [`Quota::new`] lets at most `burst + t · limit / window` units through in any time *t*, in
//!   whole numbers, at any rate up to a million a second and beyond. Time is the server's.
//! * **`Retry-After` is true.** Whoever waits that long passes, if nobody else uses the bucket meanwhile.
//!   By [outcome](Policy::outcome_cost) it is the time in case all that are under way cost what is reserved
//!   for them. Of [slots](Quota::concurrent) nobody knows it: a second is told. While the store fails it is a
//!   guess as well: others count what this process does not hear of, and what costs more than its share
//!   passes only when the store is back.
//! * **Atomic.** The policies of a layer are decided together, whatever their keys. (Layers that lie within
//!   each other are not: what the inner one refuses the outer one has charged.)
//! * **A refusal costs nobody anything**: no bucket changes, on the server or here, and from the second on
//!   those of a key are made without a call. (Slots and outcomes are asked about each time: units may come
//!   back at any moment.)
//! * **No request waits for the store longer than its deadline** (50 ms); as long again where its quota is
//!   [adjustable](Policy::adjustable) and has to be read first. For asynchronous functions of your own it
//!   waits until they are done. And nothing is an `Err` but the inner service's own errors.
//!
//! # When Redis is slow, down or lying
//!
//! What a request finds then is the layer's choice: this process's *share* (default), a
//! [503](RateLimitLayerBuilder::fail_closed), or [no limit](RateLimitLayerBuilder::allow_on_failure).
//!
//! The share of a process is the limit divided by the number of processes, which each knows from a heartbeat
//! on the server; it goes on from what it last knew of a bucket. A limit smaller than the number of processes
//! lets nothing through then. A process that never reached the server believes itself alone. When the server
//! is back, within a second or two, it is told what was known of each bucket as it is next asked about: one
//! that was restarted empty does not hand out everything anew.
//!
//! A call that timed out may have been carried out: its charges stand, though its requests were decided by
//! share; nothing is charged twice by us. What an outcome would have given back is lost if the call that
//! brings it fails. A record of the wrong type, or that is not one, counts as nothing used, and is written
//! over; a time that lies further ahead than it can (a fail-over to a slower clock) counts as a full bucket.
//!
//! # In Redis
//!
//! | key | type | time to live |
//! |---|---|---|
//! | `namespace:r:{digest}:policy` | string: one number for a [`Quota::new`], some for others; hash for `concurrent` | until nothing of it is used any more; 30 s, renewed each 10 s, for `concurrent` |
//! | `namespace:q:{digest}` | string: an [adjusted](RateLimitHandle::adjust) quota | as it was said |
//! | `namespace:p:{digest}` | sorted set: the processes | 3 s, renewed each second |
//! | `namespace:log` | stream: tells all processes of resets and bans; see [`InvalidationLog`](tower_keep_store::InvalidationLog) | a day, renewed |
//!
//! Digests are keyed with the store's [secret](tower_keep_store::StoreBuilder::secret), if you set one:
//! without, whoever can read the server can find out by trying which address or user a bucket is of. At most
//! one call for a request, shared with those that wait at the same time; none for one that is known not to
//! pass, or that has a permit. A call is one `EVALSHA`, which does one `GET` and, if units are used, one `SET`
//! for each bucket. An adjustable quota costs one `GET` more, once a second for each key.
//!
//! # Where it stands
//!
//! By address, outermost but for tracing and monitoring: a refused request costs nothing then. By user, inside
//! what authenticates. In axum the `.layer` that is called last is the outermost.
//!
//! Outside the cache, hits count and the fields are right; inside, hits are free, and the fields are those of
//! the stored response. Refusals are never stored (`no-store`).
//!
//! # Cancel safety
//!
//! A client that leaves before its request went out uses nothing; afterwards it uses what it asked for. Slots
//! are given back in every case.
//!
//! # What it does not do
//!
//! It queues nobody: whoever is refused has to come again. It does not see that two keys are one person. On
//! the embedded store, buckets are bounded by the store's memory limit (one for each 256 bytes of it); beyond
//! that, the bucket that would be full again the soonest is forgotten first.
//!
//! # Features
//!
//! `axum`, `tonic`: [`Key::client_ip`] finds the peer's address where those servers leave it (axum's by
//! `into_make_service_with_connect_info::<SocketAddr>()`; without it all clients are one), and [`Key::route`] axum's
//! route. Without them, put a [`PeerAddr`](tower_keep_store::PeerAddr) into the
//! request's extensions.

mod answer;
mod bound;
mod buckets;
mod charge;
mod deciding;
mod embedded;
mod future;
mod handle;
mod key;
mod layer;
mod lease;
mod limits;
mod note;
mod place;
mod plan;
mod policy;
mod quota;
mod quotas;
mod rule;
mod service;
mod shared;
mod slots;
mod stats;
mod status;
mod verdict;

pub use self::{
    answer::RefusalBody,
    future::ResponseFuture,
    handle::{HandleError, RateLimitHandle},
    key::{ClientIp, Key, Subject},
    layer::{RateLimitLayer, RateLimitLayerBuilder},
    policy::Policy,
    quota::Quota,
    service::RateLimit,
    stats::RateLimitStats,
    status::{PolicyStatus, RateLimitStatus, Refusal},
};
pub use tower_keep_store::{ConfigError, ResponseBody};
