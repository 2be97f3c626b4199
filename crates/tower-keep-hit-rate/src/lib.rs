//! A Tower layer that tells whether caching works, whether it is worth it, and what other lifetimes and other
//! sizes would do.
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
//! The first word in the cell stands, unless it is an error that another layer makes good. (One in a cell in the response's extensions is taken where the request's
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
//! * The [curve](Snapshot::curve): the hit rate that caches of other sizes would have, in entries and about in
//!   bytes, and the [smallest](Snapshot::enough_entries) that has 95 % of all hits there are to be had. It is
//!   one for all classes, which share a cache, and simulated as the ladder is.
//! * A line in the log (`tracing`, info) every 1000 lookups of a class, at least 10 s apart.
//! * [`Cluster`]: the same windows for all processes that share a namespace, and the processes.
//! * Metrics, below.
//! * A [page](HitRateHandle::page) that shows all of it, live.
//! * [`Server-Timing`](HitRateLayerBuilder::server_timing), in the answers to those who may know.
//!
//! # Metrics
//!
//! One list, told in three ways: [Prometheus' text](HitRateHandle::prometheus), the `metrics` facade
//! (`HitRateHandle::record_metrics`, with the feature `metrics`) and OpenTelemetry
//! (`HitRateHandle::observe_with`, with the feature `opentelemetry`). All of them read when they are asked: a
//! request does nothing for them. They are counters, buckets, and three gauges that are no rates: rates are for
//! the reader to make, over the time and the processes that he chooses.
//!
//! `grafana/dashboard.json` shows all of them, by Prometheus' names. `prometheus/rules.yml` raises alerts: a hit
//! rate that is low, or a tenth below that of the day before, and surely so (Wilson's interval, at least 200
//! lookups, of processes and classes that have been there for 20 minutes); a cache that is slower than its
//! origin, or too small; errors; too many classes. Both are part of this crate, and nothing in them needs to be
//! edited.
//!
//! A class has 101 series: 9 outcomes, 84 of latencies and 8 others; 256 classes have 25 856. To read them took
//! 25 µs for a class as text, 0.1 ms through the facade and 0.2 ms through OpenTelemetry's SDK; for 253 classes
//! 20 ms, 0.1 s and 0.1 s (on two busy cores).
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
//! reads slowly makes them longer. Time is monotonic, read off the processor's counter where that runs at one rate:
//! each thread sets it by the system's clock twenty times a second, so that two of them differ by a microsecond or
//! two at most. The store's clock is used if a test moves it. Where that steps back, time stands still until it is
//! where it was.
//!
//! The ladder is within 0.02 of a replay in the mean (measured on five workloads, from seeds). It takes every
//! response as if it might be stored.
//!
//! The curve is of caches that give up what was not asked for the longest (LRU), and in which nothing grows too
//! old: where entries expire before they are given up, read it together with the ladder. It is exact up to 1536
//! entries, however many keys there are, and beyond them within 0.01 of a replay in the mean (measured on nine
//! workloads, from seeds; a size at which much is found at once, as in a loop of pages, is right within some
//! 5 %). Keys that twelve million others have come after are forgotten. Requests of late count more: whenever as
//! many have come as there are keys, at least 65 536 and at most a million, those before count half. Bytes are
//! entries times the mean body that the origin sent, without heads.
//!
//! A request leaves its key for ladder, curve and hot keys in a ring of 512 when its outcome is known, and waits for
//! nobody. Where the one that works them off falls behind, as when it is suspended under a million requests a second,
//! the next ones are left out, whatever their keys; with half of all left out the curve's mean error was 0.004.
//! Whoever takes a snapshot works them off first. Keys that may be
//! told by name are counted when they come, but for those that find another request at it.
//!
//! What a hit saves is what the origin took for its own entry, in whichever process that was fetched. That is
//! within a microsecond; a body that waits for the origin while nobody reads it may count as too long, or too
//! short. A hit whose entry has no time (it was written, or another's cache says nothing) counts as a mean fetch
//! of its class. A refresh counts as a call when it begins, though it may then find that another process was
//! faster. Variants of a resource count as one key in the ladder. What a miss turns out to be after its body was
//! left (too large to be stored) is not known here.
//!
//! # All processes together
//!
//! On Redis each layer tells every five seconds how it stands: one snapshot, of everything since its start, in the
//! place of the one before. Whoever [asks](HitRateHandle::cluster) adds them up; hit rates are those of the sums.
//!
//! The sum of what was counted since the start never exceeds the truth. A snapshot is absolute, so one that is lost
//! is made good by the next; one that comes again or late is left out by its number; what a process knows of itself
//! it takes from its own counters, at once. When Redis comes back empty, or the network does, the next telling of
//! each process makes the sum whole. Of a process that has died, what it told last stays for five minutes (sixty intervals); what it had
//! counted since then is lost, at most five seconds of it. Its windows have what surely lies in them: of the last
//! minute nothing, once it has been silent for 15 s. What others counted is as old as [it
//! says](ClusterProcess::age_seconds), by the server's clock.
//!
//! A snapshot that is truncated, too long, of another version of this crate, or says what cannot be is left out as a
//! whole, and [counted](Cluster::ignored). One that is made up, by somebody who may write to the server, is believed.
//! A process is a layer: two layers of one process on one namespace are two. What objects and sessions do on a
//! store all its layers hear; the first of them tells it, and another only when the first is gone, with what it told.
//!
//! # Memory and cost
//!
//! At most 256 classes of 55 KiB each, of all kinds together, made when they are first seen, with 256 bytes for each
//! of the first eight threads that count in it, and 1.1 MiB for the layer: 15.4 MiB at most, however many paths there
//! are. Nothing is buffered; readers pull. Each thread keeps at most 64 notes of requests that are over, some 16 KiB.
//!
//! Counting allocates nothing: notes and cells are used again. But a cell's place in the request's extensions is an
//! allocation, or three if these were empty. It is `http`'s: a map that boxes each value, and that goes with the
//! request to whoever consumes it, so nobody gets it back. Nothing else is seen by all layers further in, however
//! they are built, without a task to bind it to. None if a server or a layer further out has left an empty cell.
//! (A method of gRPC that nobody has answered for yet costs one more.)
//!
//! A request reads the clock two or three times. The first eight threads of the process that count have a seat of
//! their own each, so that a count is no locked instruction and no cache line goes to and fro; all others share
//! one. One request in 32 takes what waits to the simulations, under a lock that the others do not wait for.
//!
//! In all, a request costs 215 to 235 ns more than without the layer, while Prometheus' text, the `metrics` facade,
//! OpenTelemetry and a snapshot are read ten times a second or not, for one key or a thousand, on one thread or
//! two; 250 ns with a closure for labels, for which the request is taken apart and put together, or where its
//! extensions were empty; 190 ns where an empty cell is given (`--bench hit_rate`, the least of many short batches).
//!
//! # In the store
//!
//! Of the store its clock is used, and what it tells of lookups and evictions. On the embedded one nothing is
//! written. On Redis:
//!
//! | key | type | time to live | commands |
//! |---|---|---|---|
//! | `namespace:h:{digest}` | hash: the snapshot of each process, at most 256 of 48 KiB | 5 min, renewed by every process | one script each 5 s; while somebody looks, and for a minute after, another that lists who told, and `HMGET`, once for each 256 KiB |
//! | `namespace:h:{digest}:00000001` | sorted set: when they were told | the same | the same |
//!
//! Both share a hash slot. A snapshot of 20 busy classes has 9 KiB; beyond 32 KiB (75 of them) the rarest are told as
//! `other`. Labels are written as they are. At most 4 MiB are read, and held by whoever asked. A
//! telling of 20 classes takes the server 50 µs, and reading 20 processes as much; adding them up, in whoever asks,
//! half a millisecond.
//!
//! One task per layer does this, on the runtime on which the store was connected; it ends with the layer, its
//! services and its handles. No request waits for it or talks to Redis here. While Redis is slow or gone, the others
//! stand as they were last read, and [`Cluster::unreachable_seconds`] says since when;
//! [`without_cluster`](HitRateLayerBuilder::without_cluster) leaves it all out.
//!
//! # Cancel safety
//!
//! Dropping a future or a body at any time counts the request, and leaves nothing behind.
//!
//! # Where it stands
//!
//! Outermost but for tracing, so that it sees what rate limits refuse and caches answer. What layers in between take
//! counts as looking, as nobody tells it apart: a limit that asks Redis makes a cache look dearer. Every other order is safe:
//! inside of a cache it sees what the cache asks the origin for, as bypasses. Put it around a route once: what
//! passes through twice is counted twice. In axum, put it on the routes (`Router::layer`) for the feature `axum` to
//! know them; outside of the router all are `unmatched`. Personal routes inside a cache are looked up, and count as
//! misses that may not be stored: they lower the hit rate, and are judged. On a router beside the cache they are
//! bypasses.
//!
//! # What it does not do yet
//!
//! Say how many keys the curve has left out; a curve for each class.
//!
//! # Features
//!
//! * `axum`: each route is a class of its own.
//! * `page` (default): the page, and the figures as JSON. It is on since a monitor is there to be looked at; without
//!   it there is no `serde_json`, and no HTML in the program.
//! * `metrics`: tells a recorder of the `metrics` facade.
//! * `opentelemetry`: lets a meter of OpenTelemetry observe; the API only, the SDK is the program's.
//!
//! [`OutcomeCell`]: tower_keep_store::OutcomeCell

mod body;
mod cell;
mod class;
mod classes;
mod cluster;
mod counts;
mod curve;
mod export;
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
mod notes;
#[cfg(feature = "page")]
mod page;
mod recorder;
mod rules;
mod seat;
mod server_timing;
mod service;
mod simulations;
mod snapshot;
mod stopwatch;
mod ticker;
mod verdict;
mod wilson;
mod windows;
#[cfg(test)]
mod workloads;

#[cfg(feature = "page")]
pub use self::page::{Page, PageBody};
pub use self::{
    body::ResponseBody,
    cluster::{Cluster, ClusterClass, ClusterProcess},
    curve::CurvePoint,
    figures::{Buckets, Latency, Outcomes, WindowSnapshot},
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
