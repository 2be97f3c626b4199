//! A Tower layer that tells whether caching works, whether it is worth it, and what other lifetimes would do.
//!
//! # What happens to a request
//!
//! 1. It gets a class (its route, its method of gRPC, or what a [closure](HitRateLayerBuilder::label) says),
//!    and an [`OutcomeCell`] in its extensions, unless a layer further out has left one there that is empty.
//! 2. It is passed on as it is, to the instance that was readied. The layer that decides what becomes of it
//!    (a cache, a rate limit) sets the cell.
//! 3. When the response's head is there, the request is counted under its one outcome, and when the last
//!    frame of the body has passed, its time and its bytes. Frames, trailers, size hints and errors pass as
//!    they come.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_keep_cache::CacheLayer;
//! use tower_keep_hit_rate::HitRateLayer;
//! use tower_keep_store::Store;
//!
//! let store = Store::memory();
//! let (layer, hit_rate) = HitRateLayer::pair(store.clone());
//! let origin = service_fn(async |_: Request<String>| {
//!     let response = Response::builder().header("cache-control", "max-age=60");
//!     Ok::<_, std::convert::Infallible>(response.body("a page".to_owned()).expect("a response"))
//! });
//! let page = layer.layer(CacheLayer::new(store).layer(origin));
//!
//! for _ in 0..4 {
//!     let response = page.clone().oneshot(Request::new(String::new())).await?;
//!     # use http_body_util::BodyExt;
//!     response.into_body().collect().await?;
//! }
//! let snapshot = hit_rate.snapshot();
//! let class = snapshot.class("unmatched").expect("no label, no route");
//! assert_eq!(class.minute.hit_rate, Some(0.75));
//! assert_eq!(class.minute.offload, Some(0.75));
//! # Ok(())
//! # }
//! ```
//!
//! # The one outcome
//!
//! The first word in the cell stands. (One in a cell in the response's extensions is taken where the request's
//! own was lost on the way in.) Where nobody said anything:
//!
//! | what happened | outcome |
//! |---|---|
//! | there was a response | *bypass*: no cache was asked |
//! | the inner service failed, or panicked | *error* |
//! | the response's future was dropped | *cancelled* |
//!
//! What becomes of the body later does not change the outcome, which the client knows by then. Bodies that the
//! client leaves, and those that break, are counted beside, and not in the latencies. A body is whole, too,
//! when all the bytes have passed that its head promised: servers ask no further.
//!
//! *Lookups* are all but bypass, rejected and cancelled. **Hit rate** is (hit + stale) ÷ lookups; **offload**
//! is 1 − calls of the origin ÷ (lookups + bypass), and never below zero. Who waited for another's fetch
//! (*collapsed*) is no hit, and made no call. Without lookups there is no hit rate: `None`, never 0 or 1.
//! (`only-if-cached` that finds nothing is *rejected*: no longer lifetime would have fetched it.)
//!
//! With the outcome the cell [tells](tower_keep_store::Told) what the deciding layer knows of the origin: its own
//! time for this answer, which every entry of a cache carries; how often it was called, refreshes in the background
//! and requests that are cancelled meanwhile included; and whether a miss could be stored. Where that is not told
//! (by a layer of somebody else), a miss, a bypass and an error are one call each.
//!
//! # What is not a request
//!
//! On the same store, what an `ObjectCache` looks up and the sessions that are loaded are counted too, wherever
//! they happen, without a layer around them: classes of the [kinds](Kind) *objects* (by the cache's class) and
//! *sessions*. `Snapshot::requests`, those in flight and the hot keys are those of requests alone. Sessions have no
//! origin and are no cache: they have a hit rate, and neither an offload, a ledger, a verdict, a worth nor a
//! ladder. The store holds the counters weakly: once the layer, its services and the handle are gone, a lookup
//! costs one load again.
//!
//! # What it says
//!
//! * [`Snapshot`]: for each class the last minute, five minutes, hour, and all since the start; how long hits,
//!   misses, those who waited and the origin took; the 20 [hottest keys](HotKey).
//! * [`Verdict`]: below 80 % tune, above 90 % excellent, once it is certain.
//! * [`Ledger`] and [`Worth`]: the time that caching saved, less what it cost. Over a service without a cache:
//!   what caching could save at most.
//! * [Misses that may not be stored](WindowSnapshot::misses_not_stored): no lifetime makes hits of those.
//! * [What was let go](Snapshot::evictions) by the caches' first levels and the embedded store: evictions say
//!   that there is too little room.
//! * The [ladder](ClassSnapshot::ladder): the hit rate that lifetimes from a second to a day would have, and how
//!   old what they answer would be. It needs no cache: it asks simulated ones, for GET and HEAD, unless a layer
//!   said that the request passes by.
//! * A line in the log (`tracing`, info) every 1000 lookups of a class, at least 10 s apart.
//! * [Prometheus' text](HitRateHandle::prometheus).
//! * [`Server-Timing`](HitRateLayerBuilder::server_timing), in the answers to those who may know.
//!
//! # What is exact, and what may race
//!
//! The sum of all outcomes is the number of requests that are answered, lost or failed, and nothing stays in
//! flight, whatever is cancelled, panics or fails. Each count is exact. Counts of different things are read one
//! after the other: a snapshot under load may show a hit whose bytes it does not.
//!
//! A window begins at a mark: at most 5 s before it should for a minute, 15 s for five minutes, a minute for an
//! hour. A request that comes in the very moment of a mark may be counted on its other side. While two
//! threads make the last free class at once, a request of one may be counted under `other`.
//!
//! Latencies are within 1.6 % (of a microsecond or more), measured to the end of the body: a client that
//! reads slowly makes them longer. Time is monotonic; the store's clock is used if a test moves it. Where that
//! steps back, time stands still until it is where it was.
//!
//! The ladder is within 0.02 of a replay in the mean (measured on five workloads, from seeds). It takes every
//! response as if it might be stored.
//!
//! What a hit saves is what the origin took for its own entry, in whichever process that was fetched. That is
//! within a microsecond; a body that waits for the origin while nobody reads it may count as too long, or too
//! short. A hit whose entry has no time (it was written, or another's cache says nothing) counts as a mean fetch
//! of its class. A refresh counts as a call when it begins, though it may then find that another process was
//! faster. Variants of a resource count as one key in the ladder. What a miss turns out to be after its body was
//! left (too large to be stored) is not known here.
//!
//! # Memory and cost
//!
//! At most 256 classes of 55 KiB each, of all kinds together, made when they are first seen, and 0.7 MiB
//! for the layer: 15 MB at most, however many paths there are. Nothing is buffered, nothing sent; readers pull.
//!
//! Counting allocates nothing, and cells are used again. But a cell's place in the request's extensions is an
//! allocation, or three if these were empty: nobody gets that back from whoever consumes the request. None if a
//! server or a layer further out has left an empty cell.
//! (A method of gRPC that nobody has answered for yet costs one more.) A request reads the clock twice or three
//! times, and takes three locks if they are free, each of a few of the keys that are simulated or counted: where
//! another request is at the same ones, this one is left out there. In all it takes some 0.4 µs (`--bench hit_rate`).
//!
//! # In the store
//!
//! Nothing: only its clock is used, and what it tells of lookups and evictions.
//!
//! # Cancel safety
//!
//! Dropping a future or a body at any time counts the request, and leaves nothing behind.
//!
//! # Where it stands
//!
//! Outermost but for tracing, so that it sees what rate limits refuse and caches answer. Every other order is
//! safe: inside of a cache it sees what the cache asks the origin for, as bypasses. Put it around a route
//! once: what passes through twice is counted twice. In axum, put it on the routes (`Router::layer`) for the
//! feature `axum` to know them; outside of the router all are `unmatched`.
//!
//! # What it does not do yet
//!
//! Advice on the size of the cache, a view of several processes, a page, exporters other than Prometheus' text.
//!
//! # Features
//!
//! `axum`: each route is a class of its own.
//!
//! [`OutcomeCell`]: tower_keep_store::OutcomeCell

mod body;
mod cell;
mod class;
mod classes;
mod counts;
mod figures;
mod future;
mod handle;
mod histogram;
mod hot_keys;
mod kind;
mod label;
mod ladder;
mod layer;
mod ledger;
mod line;
mod monitor;
mod prometheus;
mod recorder;
mod rules;
mod server_timing;
mod service;
mod snapshot;
mod ticker;
mod verdict;
mod wilson;
mod windows;

pub use self::{
    body::ResponseBody,
    figures::{Latency, Outcomes, WindowSnapshot},
    future::ResponseFuture,
    handle::HitRateHandle,
    kind::Kind,
    ladder::Rung,
    layer::{HitRateLayer, HitRateLayerBuilder},
    ledger::{Ledger, Worth},
    service::HitRate,
    snapshot::{ClassSnapshot, EvictionsSnapshot, HotKey, Snapshot},
    verdict::Verdict,
};
pub use tower_keep_store::ConfigError;
