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
//! is 1 − calls of the origin ÷ (lookups + bypass). Who waited for another's fetch (*collapsed*) is no hit, and
//! made no call. Without lookups there is no hit rate: `None`, never 0 or 1.
//!
//! # What it says
//!
//! * [`Snapshot`]: for each class the last minute, five minutes, hour, and all since the start; how long hits,
//!   misses, those who waited and the origin took; the 20 [hottest keys](HotKey).
//! * [`Verdict`]: below 80 % tune, above 90 % excellent, once it is certain.
//! * [`Ledger`] and [`Worth`]: the time that caching saved, less what it cost. Over a service without a cache:
//!   what caching could save at most.
//! * The [ladder](ClassSnapshot::ladder): the hit rate that lifetimes from a second to a day would have, and how
//!   old what they answer would be. It needs no cache: it asks simulated ones, for GET and HEAD, unless a layer
//!   said that the request passes by.
//! * A line in the log (`tracing`, info) every 1000 lookups of a class, at least 10 s apart.
//! * [Prometheus' text](HitRateHandle::prometheus).
//! * A [page](HitRateHandle::page) that shows all of it, live.
//!
//! # The page
//!
//! [`HitRateHandle::page`] is a service to mount, at any path; until then there is none. It is one file with
//! its own style and script, which its `Content-Security-Policy` names by their hashes, and asks nobody but itself
//! for anything. What clients name (routes, keys) goes in as text only. It can change nothing. Who may see it says
//! [`Page::allow`], before anything else is looked at, or a layer around it.
//!
//! Nothing runs while nobody watches. Who does has a stream of events, which wakes by tokio's timer once a second;
//! the first whose second has come makes the frame, and the others take the same bytes (4 KiB for each class; for 256
//! it takes 6 ms). Nobody waits for one that is being made. Who does not read is not asked: he holds the frame that
//! his server is sending and no other, and gets the newest when he reads again. At most 64 watch at once; the next
//! is answered 503, and his page asks for single snapshots. A stream has no task; it ends where its body is dropped,
//! or within a second of [`Page::close`], which a server calls that stops gracefully.
//!
//! The page says how certain it is, what it does not know, and when it was last told something: a lost connection
//! shows at once, or after eight silent seconds.
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
//! What a hit saves is what its key took when it was last fetched *here*; one that another process fetched, or
//! that 16 384 others have pushed out, counts as the mean of its class. Variants of a resource count as one
//! key, in the ladder too. Refreshes in the background are not seen from outside: they are no calls of the
//! origin here.
//!
//! # Memory and cost
//!
//! At most 256 classes of 52 KiB each, made when they are first seen, and 0.8 MiB for the layer: 14 MiB at
//! most, however many paths there are. Nothing is buffered, nothing sent; readers pull.
//!
//! Counting allocates nothing. The cell does: its `Arc` and its place in the request's extensions, two
//! allocations, or four if these were empty; none if a server or a layer further out has left an empty one.
//! (A method of gRPC that nobody has answered for yet costs one more.) A request reads the clock twice or three
//! times, and takes three locks if they are free, each of a few of the keys that are simulated or counted: where
//! another request is at the same ones, this one is left out there.
//!
//! # In the store
//!
//! Nothing: only its clock is used.
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
//! Advice on the size of the cache, a view of several processes, `Server-Timing`, exporters other than
//! Prometheus' text. It does not see what an `ObjectCache` does.
//!
//! # Features
//!
//! * `axum`: each route is a class of its own.
//! * `page` (default): the page, and the figures as JSON. It is on since a monitor is there to be looked at; without
//!   it there is no `serde_json`, and no HTML in the program.
//!
//! [`OutcomeCell`]: tower_keep_store::OutcomeCell

mod body;
mod class;
mod classes;
mod costs;
mod counts;
mod figures;
mod future;
mod handle;
mod histogram;
mod hot_keys;
mod label;
mod ladder;
mod layer;
mod ledger;
mod line;
mod monitor;
#[cfg(feature = "page")]
mod page;
mod prometheus;
mod recorder;
mod rules;
mod service;
mod snapshot;
mod ticker;
mod verdict;
mod wilson;
mod windows;

#[cfg(feature = "page")]
pub use self::page::{Page, PageBody};
pub use self::{
    body::ResponseBody,
    figures::{Buckets, Latency, Outcomes, WindowSnapshot},
    future::ResponseFuture,
    handle::HitRateHandle,
    ladder::Rung,
    layer::{HitRateLayer, HitRateLayerBuilder},
    ledger::{Ledger, Worth},
    service::HitRate,
    snapshot::{ClassSnapshot, HotKey, Snapshot},
    verdict::Verdict,
};
pub use tower_keep_store::ConfigError;
