//! A Tower layer that caches HTTP responses, and a cache for values in application code, on one engine.
//!
//! # What happens to a request
//!
//! 1. By its method and fields it is looked up, passed by, or (an unsafe method) passed on and, unless
//!    it is refused (4xx), followed by the invalidation of its URI. A GET with a body, a precondition or a
//!    method override passes by; so, by most policies, does one for a part of what is not stored.
//! 2. Its key is made of scheme, host, path, query and what the builder declares. A request with an
//!    ambiguous host passes by.
//! 3. The first level, in this process, answers a hit within `call`: nothing is boxed, the origin need
//!    not be ready. A client that has the response already gets 304; HEAD gets the head,
//!    and `Range` the part, or several.
//! 4. Otherwise the first request for a key asks the store, then the origin; those that come meanwhile
//!    follow it. Where there is a [lease](Class::lease), it first asks for that, and if another process
//!    has it, waits for what that one fetches: see [below](#one-fetch-per-cluster).
//! 5. What is past its lifetime and came with a validator of the origin (`ETag`, `Last-Modified`) is kept for
//!    [a while](CacheLayerBuilder::keep): the origin is asked whether it is still right, and if it says so
//!    (304), what is stored answers, with the fields of the 304, and is fresh again for all. A client
//!    gets a 304 only for a validator that it sent.
//! 6. The origin's response goes to the client frame by frame as it comes. If it may be stored, a copy
//!    is collected on the way, and becomes an entry when the body has passed as a whole: in the first
//!    level at once, in the store in the background.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_keep_cache::CacheLayer;
//! use tower_keep_store::Store;
//!
//! let origin = service_fn(|_: Request<String>| async {
//!     let response = Response::builder().header("cache-control", "max-age=60");
//!     Ok::<_, std::convert::Infallible>(response.body("a page".to_owned()).expect("a response"))
//! });
//! let page = CacheLayer::new(Store::memory()).layer(origin);
//!
//! let ask = || page.clone().oneshot(Request::new(String::new()));
//! let miss = ask().await?;
//! assert_eq!(miss.headers()["cache-status"], "tower-keep;fwd=uri-miss;stored");
//! # use http_body::Body;
//! # let mut body = Box::pin(miss.into_body());
//! # std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
//! // … once the body has been read:
//! let hit = ask().await?;
//! assert!(hit.headers().contains_key("age"));
//! # Ok(())
//! # }
//! ```
//!
//! # What is stored
//!
//! A response is stored only if it states a lifetime (`s-maxage`, `max-age`, `Expires`), names a [`Class`]
//! in a [`CacheDirective`], or comes by a route with a class ([`CacheLayer::new`] has no classes); never an
//! error, a part, a response with `Set-Cookie`, `private`, `no-store`, `Vary: *`, `Vary:
//! Cookie`, or an event stream. What says `no-cache`, or has no time to be fresh for, is stored if it has a
//! validator, and answers nobody before the origin has confirmed it; not those who wait for it either.
//! Requests with `Cookie` or `Authorization` share only what says `public`,
//! `s-maxage` (for `Authorization` also `must-revalidate`), or belongs to a class that [allows
//! cookies](Class::allow_cookies). So do requests of which a layer further out knows who sends them: it left an
//! [`Identity`], or has looked at the session.
//!
//! Lifetimes run from two different moments. One that the origin states (`s-maxage`, `max-age`, `Expires`) begins
//! when the response was made: what `Age` and `Date` say has passed by the time it came here is over. That of a
//! [class](Class::fresh_for), also in place of one that was stated, begins when it came here. The `Age` of
//! a hit counts from when the response was made, in either case, so it may be greater than the lifetime of a class; what
//! is left of the lifetime is the `ttl` in `Cache-Status`.
//!
//! Where the origin speaks to this cache in a field of its own ([targets](CacheLayerBuilder::targets):
//! `CDN-Cache-Control`, `Surrogate-Control`), that holds in place of `Cache-Control` and `Expires`.
//!
//! A 304 has to satisfy the same rules, with the stored fields where it has none of its own; else it is answered
//! to who asked, and nothing is renewed. Its tags and class add to those of the entry.
//!
//! A part (206) is stored where the policy [says so](CachePolicy::rfc9111), apart from the whole, and answers only
//! for bytes that it has. One stretch of bytes is kept for each response: another that touches it, under the same
//! strong validator, makes it longer, until it is the whole; another that does not takes its place. Requests for
//! parts do not wait for one another; one that this process cannot answer asks the store for the whole and for the
//! part (two `GET`), then the origin. A lost race costs a part.
//! Who asks for the whole, where this process has its beginning under a strong validator, has the origin send the rest
//! only (`If-Range`); should the origin not keep to that condition, he is answered 502 and the part is given up. Those
//! who waited for him, here or in other processes, ask for the whole.
//!
//! A 200 to a HEAD that had to go to the origin says something of the stored answer to GET, too: with the same
//! validators and length it is fresh again, with the fields of the answer to HEAD; otherwise it is stale.
//!
//! A [policy](CachePolicy) may widen that: [by the RFC](CachePolicy::rfc9111) errors are stored too if they state
//! a lifetime, one is estimated from `Last-Modified` where none is stated, and what is stale answers while the
//! origin cannot be reached. An `Age` that cannot be read, or
//! that two caches gave, may be any age: what came with it is stale.
//!
//! Nor is anything stored, shared with those who wait, or brought by a refresh for others, if a session was
//! looked at for it before the end of its body: the [`PersonalCell`] of the request (the cache leaves one if
//! there is none) or of the response is marked. Nothing overrides that. Where the handler was only told who is
//! logged in (by the session's `IdentifyLayer`), what it answers a user is stored if it names, in its
//! [`CacheDirective`], a class that [allows cookies](Class::allow_cookies): `public`, `s-maxage`, and the class of a
//! route or layer are said of many pages at once, and are not enough. A page for which nobody looks is
//! one for all, and is served to visitors who have a session too. What looks at the session for *every*
//! request, outside of the cache, leaves it nothing to store.
//!
//! A response depends on its URI, its class, the tags of its [`CacheDirective`], the groups in its `Cache-Groups`
//! (RFC 9875; they are those of its host), and, where the [builder says](CacheLayerBuilder::tag_field), the members
//! of its `Surrogate-Key` or `Cache-Tag`. With more than 64 tags and groups, or a `Cache-Groups` that is no list of
//! strings, it is not stored, and is [counted](CacheStats::unlabelled): what cannot be invalidated as its origin
//! meant must not answer. Names are of any length and may contain anything; only their digests are kept.
//!
//! Of a request's own directives `no-store` (nothing of the answer is kept) and `only-if-cached` (504 instead of
//! a fetch) are followed always; those that ask for something fresher than what is stored, or are content with
//! less, where the policy [heeds](CachePolicy::heed_requests) them. What they bring is for all, and those who
//! demand it at the same time wait for one fetch; others are answered with what is stored meanwhile.
//!
//! [`Identity`]: tower_keep_store::Identity
//! [`PersonalCell`]: tower_keep_store::PersonalCell
//!
//! The key has scheme, host, path and query as this layer sees them, and the host, port, prefix and
//! scheme that proxies in front [say](CacheLayerBuilder::danger_ignore_forwarded) they received. Two
//! layers on one namespace of a store that see the same URIs share entries, unless they have
//! [names](CacheLayerBuilder::name). In axum, a layer on a router that is *nested* into another sees paths
//! without their prefix: put one layer around the outermost router, or name them. HTTP/1.1 requests do
//! not tell their scheme, so they do not share entries with HTTP/2. A port is part of the host: two processes on
//! `localhost:3000` and `localhost:3001` share no entries, unless both are asked with one `Host`.
//!
//! # What it tells
//!
//! If a layer further out left an [`OutcomeCell`] in the request, it is told once what became of it, with what
//! is [known](tower_keep_store::Told) of the origin:
//!
//! | what answered | outcome | origin's time | calls |
//! |---|---|---|---|
//! | an entry of either level, or what another's look into the store brought | *hit* | the entry's | 1 if an early refresh begins with it, else 0 |
//! | an entry past its time | *stale* | the entry's | 1 if a refresh begins with it, else 0 |
//! | such an entry, as the origin failed | *stale* | the entry's | 1; 0 for those who waited, and while the origin is left alone |
//! | an entry, which the origin confirmed | *revalidated* | what the 304 took | 1; those who waited: *collapsed*, 0 |
//! | what another was fetching, in this process or one that has the lease | *collapsed* | the entry's | 0 |
//! | the origin | *miss* | its own | 1 |
//! | the origin, without a look or for this request alone | *bypass* | its own if it was looked for, else none | 1 |
//! | nothing: the origin failed, or took too long (504) | *error* | none | 1; 0 for those who waited |
//! | 504, for `only-if-cached` | *rejected*: nothing could be fetched | none | 0 |
//!
//! An entry's time is what the origin took when it was fetched, in whichever process: from its call to the head,
//! and what it kept the reader of the body waiting. A miss is told the first part with its head, and the whole
//! when the body has passed, if it is stored. If its response may not be stored, or turns out not to (its body
//! too large or shorter than its head said, a cookie in its trailers), that is told too; not of a body that broke
//! off. A refresh counts when it begins: it may then find that another process was faster. A request that is
//! cancelled while the origin is at work leaves the cell empty, but for that call. Where caches are nested, the
//! one that answers tells.
//!
//! The same is told of each lookup in an [`ObjectCache`] to whoever
//! [observes](tower_keep_store::Store::observe) the store: the loader is the origin; what is
//! [absent](ObjectCache::find_or_load) is a miss that is not stored. Values that came by [`put`](ObjectCache::put)
//! or [`write`](ObjectCache::write) have no time. What makes room in the first level, and what is found there past
//! its time, is [counted](tower_keep_store::Evictions).
//!
//! [`OutcomeCell`]: tower_keep_store::OutcomeCell
//!
//! # How it is told of changes
//!
//! Through the [`CacheHandle`]: by tag, [group](Dependency::group), class, value or URI, hard or soft
//! ([`invalidate`](CacheHandle::invalidate)); by what changed, where [`Rules`] say in one place what depends on it
//! ([`changed`](CacheHandle::changed)); or from any stream of such events ([`follow`](CacheHandle::follow)), so that
//! no writer can forget: `examples/dashboard` follows SQLite (triggers), `examples/postgres` follows PostgreSQL
//! (`LISTEN` and `NOTIFY`). What is invalidated, here or elsewhere, goes out as a stream too
//! ([`invalidations`](CacheHandle::invalidations)). Each call is one record, whatever it names, and one round trip
//! (the script); calls that come while another is being written share the next record, and what they share is
//! [counted](CacheStats::invalidation_records). What is stored of a URI, and what an invalidation did to it, can be
//! [looked at](CacheHandle::inspect).
//!
//! The answer to an unsafe request tells of changes too: it invalidates the request's URI, those that `Location` and
//! `Content-Location` name on the same host, hard, unless it is a refusal; and the groups in
//! `Cache-Group-Invalidation`, whatever its status. All that is one record, which is awaited before the client hears
//! of the change. On a response to a safe request that field means nothing.
//!
//! A call is over when its record stands in the log and has come back to this process. Between the commit of a
//! change and that moment others may be served what was before: await it before the change is reported as done.
//! While the store is down, slow or hung the call fails after the store's deadline, or at once; what it named is refused
//! in this process all the same, and is written when the store takes it, however late; over 4096 that wait become
//! one: everything. A process that ends before loses what it has not written
//! ([`shutdown`](CacheHandle::shutdown) waits for it), and what a followed stream holds that was not read yet.
//!
//! A change can be announced: [`CacheHandle::write`] puts what depends on it in doubt in every process while it runs,
//! and [`ObjectCache::announce_writes`] does so for values. That is a second record and round trip, before the
//! change; nothing stored of what depends on it is used until it is over, and nobody who has heard of it is
//! served the state before once it was committed. Both give back, with what the change gave, whether its record
//! [stands](Written::told). Then [`put`](CacheHandle::put) stores the new response under the same rules as any other,
//! and [`ObjectCache::write`] the new value. A writer that dies leaves the doubt to its lease.
//!
//! # In the store
//!
//! | key | type | time to live | commands |
//! |---|---|---|---|
//! | `namespace:c:{digest}` | string: a response, a part of one, or the fields by which a resource varies | until nothing can use it | `GET` for a request that the first level does not answer; `SET` for a stored one |
//! | `namespace:o:{digest}` | string: a value of an [`ObjectCache`] | the same | the same |
//! | `namespace:cl:{digest}`, of a value `namespace:ol:{digest}`; for requests that say who they are with a `:digest` more | string: a random token, or how the last fetch ended; and a channel of this name | the length of the [lease](Class::lease), prolonged; or 10 s | three scripts of a fetch: asking, a prolongation for each third of the length, and the entry's `SET` |
//! | `namespace:log` | stream: see [`InvalidationLog`](tower_keep_store::InvalidationLog) | a day, renewed | one script for an invalidation, or several that come together; `XREVRANGE` for a strict request |
//!
//! | request | round trips that it waits for |
//! |---|---|
//! | hit in the first level | 0 |
//! | hit in the store | 1: `GET` |
//! | miss | 1, and the entry's `SET` in the background; with a lease 2: `GET`, script |
//! | miss that another process is fetching | 5: `GET`, script, `SUBSCRIBE`, script, and after the push `GET` |
//!
//! Records are versioned, checked by a sum and compared with the full key; what is not readable is a
//! miss and is [counted](CacheStats::unreadable). A resource with variants costs a process one `GET`
//! more, once. On the embedded store the first level *is* the store, for classes that use it.
//!
//! # One fetch per cluster
//!
//! In one process there is one fetch for a key at a time. With a lease ([`Class::lease`],
//! [`CacheLayerBuilder::lease`]) there is one in all processes that share the store:
//!
//! 1. Who leads in its process, and has found nothing usable in the store, asks for the lease. One script
//!    grants it if nobody has it *and* the entry is still what was found: so nobody fetches what has landed
//!    in between.
//! 2. Its owner fetches. When the entry is whole, one script stores it, ends the lease if that is still its
//!    own, and publishes that on the lease's channel.
//! 3. Another process subscribes to the channel (on one connection for all that it waits for), asks once
//!    more, so that no end is missed, and sleeps until the push. Then it reads the entry, and judges it as
//!    any other: what was invalidated after its fetch began answers only who had asked before the
//!    invalidation; others contend for the lease again.
//! 4. What turns out not to be for others (uncacheable, a cookie, a session, an error) ends the lease with
//!    that word: all that wait, in all processes, go on at once, side by side. If it would end so again, the
//!    word stays for 10 s, and who comes meanwhile does not wait. What is kept in processes only is fetched
//!    once by each.
//! 5. If the owner is dropped, it gives the lease back, and another takes over at once. If its process was
//!    killed or is cut off, the lease runs out, after its length at most: who waits asks again at the moment
//!    when it must have. Nobody waits longer than the [patience](CacheLayerBuilder::patience).
//! 6. A refresh in the background asks for the lease too, and leaves it at that if another has it.
//!
//! The body of a leased fetch is read at the origin's pace, for at most the patience, also where its client is
//! slow: those who wait elsewhere cannot be seen. Requests that say who they are (`Cookie`, `Authorization`, a user) and those that
//! do not wait for their own kind only.
//!
//! How long a lease should be: its owner prolongs it at each third of its length, for as long as it fetches.
//! So a fetch may take much longer, and the length only says how long a *death* goes unnoticed (between two
//! thirds of it and the whole), and how long a stall of the process or of Redis may be that is not one (two
//! thirds). 2 s bears stalls of 1.3 s, such as Redis forking under load; under half a second a busy machine
//! loses leases. A lease that is lost costs a call, never a wrong answer.
//!
//! Redis users with an access list need the channels (`&namespace:*`); without them each process fetches for
//! itself.
//!
//! # When the store is slow or down
//!
//! A step that exceeds the store's deadline is a miss, and after a few a circuit breaker answers for the
//! store at once: requests go to the origin, still one for a key at a time in each process. No lease is asked for
//! then, or while the log is not known; who waits goes on when it cannot ask again within the deadline. A
//! connection for pushes that is lost, or hangs for a second, is made anew; while that fails, nobody waits
//! for a push. A push that is not true makes who waits look and ask again, 64 times at most. The first level goes on
//! until the invalidation log has not been heard for the staleness bound (5 s); then it cannot know what
//! others invalidated, and waits. (Those who follow a fetch may be answered by it for as long as the
//! [patience](CacheLayerBuilder::patience) lasts.) Invalidations made meanwhile are in force here and are written later.
//!
//! # How new a hit is
//!
//! By default ([`Consistency::Eventual`]) a hit goes by what this process knows of the log: about a millisecond
//! ago, at the latest the staleness bound. With [`Consistency::Strict`], chosen for a [layer](CacheLayerBuilder::consistency)
//! or an [`ObjectCache`](ObjectCache::consistency), a request first reads the end of the log (`XREVRANGE … COUNT
//! 1`) and waits until this process has come to it. What was invalidated anywhere before the request began, and
//! is known to stand in the log, is then never an answer; nor is what another request is fetching since before
//! it. A hit of either level costs that one round trip: what the first level does not have is read from the
//! store in the same one. If the log cannot be read within the store's deadline, the request goes to the origin
//! for itself (`detail=log-unread`), and nothing of it is stored. On the embedded store both are the same.
//!
//! # Refreshes
//!
//! What answers while it is fetched anew in the background: entries of a class shortly before their end
//! ([early refresh](Class::early_refresh), by lot), those in their `stale-while-revalidate` window, and those
//! that were invalidated softly, in that window. The answer is the same as without, at the same time; a hit with
//! plenty of time left costs nothing more.
//!
//! - One refresh per key runs in a process. It first looks into the store (one `GET`), and takes what another
//!   process has fetched meanwhile; else it asks the origin, with a validator if there is one, and stores what
//!   comes as any miss does (one `SET`). Two processes that draw their lots at the same time both ask the origin.
//! - It uses the request that was answered, without its preconditions, its `Range`, `Cache-Control` and `Pragma`:
//!   it is none that the client sent. Not one for which a session was looked at.
//! - Nobody waits for it who is content with what it refreshes, also where that is not in the process any more.
//! - An error, or no answer, leaves the entry to its time; an error never takes the place of what still answers.
//!   For a second then, whatever the load, the entry's origin is left alone by this process. (It remembers 4096
//!   such keys.)
//! - At most 64 run at a time, each for at most the [patience](CacheLayerBuilder::patience); what finds no room is
//!   [counted](CacheStats::unrefreshed), and tried again by a later request. Writes into the store are bounded
//!   (256), and so are the fetches that others can follow (65 536: one more goes to the origin alone).
//! - When the store is slow or down, its step is a miss after the deadline, and the origin is asked: nobody waits
//!   for that. A record there that claims to be newer is judged by the log like any other.
//!
//! # When the origin is slow
//!
//! After the [soft time-out](CacheLayerBuilder::soft_timeout) an entry in its `stale-if-error` window answers, all who
//! wait; the fetch goes on in the background, under the bounds above (if there is no room it ends), and is stored.
//! Who asks meanwhile is answered stale: at once for a second, then after the same time-out. After the
//! [hard time-out](CacheLayerBuilder::hard_timeout) the fetch is dropped; what is stale answers, else 504 with
//! `Cache-Control: no-store` and `detail=timeout` in `Cache-Status`, and all who waited for this fetch get the same
//! without a call of their own. Both count to the head of the response: what has begun is not taken back.
//!
//! Which time-outs hold is what the class of the stored entry says, else the class of the layer, else the layer: a
//! class that a response will name is not known before it comes.
//!
//! # Stopping
//!
//! [`CacheHandle::shutdown`] waits for refreshes, bodies that are read on, and writes, and for
//! invalidations until they stand in the log, up to a deadline. Without it a process that ends takes them with it:
//! an entry lost is a miss, an invalidation lost is what [the log](tower_keep_store::InvalidationLog) says of a
//! process that dies.
//!
//! # What is atomic, and what may race
//!
//! An entry is usable only if nothing that it depends on was invalidated after its fetch, or the origin's last
//! confirmation of it, *began*. A
//! fetch that an invalidation overtakes is answered to the client that asked before it, and to nobody
//! else, whichever is stored last and wherever. Two fetches of one key may both be stored; either is
//! valid. A lease only saves calls: evicted, flushed or run out under its owner, it lets another process fetch
//! too, and who comes late stores its entry, and leaves the other's lease alone. Granting, prolonging, ending
//! a lease, and storing with its end, are each one script in the entry's slot. A command that was sent
//! before its caller gave up may still be carried out: a lease granted to nobody is given back, or
//! runs out. The list of a resource's variants is kept without locks: a lost update costs a miss.
//!
//! # Cancel safety
//!
//! A client that leaves while others follow its fetch leaves the fetch running (unless the cache is
//! [stopping](CacheHandle::shutdown): then one of the others begins anew); if nobody follows, the
//! fetch ends with it, and its lease is given back. A body that has begun is read on to its end in the background, for at most the
//! [patience](CacheLayerBuilder::patience). An unsafe request that is dropped while the origin works on
//! it invalidates all the same.
//!
//! # What is wanted, and what it costs
//!
//! | what is wanted | how | cost |
//! |---|---|---|
//! | after a change nobody gets what was before | [`invalidate`](CacheHandle::invalidate), [`changed`](CacheHandle::changed), awaited after the commit | a round trip a change |
//! | nor in the millisecond between commit and record | [`write`](CacheHandle::write); for values [`ObjectCache::announce_writes`] | two |
//! | nor in the one until other processes hear of it | [`Consistency::Strict`] on a layer or an [`ObjectCache`] | a round trip a hit |
//! | no writer can forget | [`follow`](CacheHandle::follow): `examples/dashboard`, `examples/postgres` | |
//! | others who keep copies hear of it | [`invalidations`](CacheHandle::invalidations), of all processes | |
//! | one fetch in all processes | [`lease`](CacheLayerBuilder::lease) on the builder; on the [`Class`] of a route or an [`ObjectCache`] | a round trip more a fetch |
//! | nobody waits for an entry that ends | on by default ([`Class::early_refresh`]); [`Class::stale_while_revalidate`] | |
//! | an origin that hangs | [`soft_timeout`](CacheLayerBuilder::soft_timeout) with [`Class::stale_if_error`], [`hard_timeout`](CacheLayerBuilder::hard_timeout) | |
//! | a clean stop | [`shutdown`](CacheHandle::shutdown), after the server's | |
//!
//! # Among other layers
//!
//! One layer around all routes is the simplest. Within it, the [class](CacheLayer::class) of the same
//! layer around a route only says the class of its responses.
//!
//! Inside of rate limits and sessions (around sessions it is as safe), outside of concurrency limits, load shedding and time-outs, so
//! that hits do not count against them. [`Cache`] is always ready; it drives the readiness of a clone of
//! the inner service when it needs the origin.
//!
//! # What it does not do yet
//!
//! Validate parts, validate for several variants at once,
//! gRPC, transcoding. Requests with a validator that the origin gave out are
//! not collapsed where nothing is stored: the origin answers each. A confirmation that makes an entry fresh
//! writes the whole of it anew into the store.

mod body;
mod class;
mod dependency;
mod directive;
mod engine;
mod events;
mod fetch;
mod fill;
mod future;
mod handle;
mod http;
mod inspect;
mod layer;
mod nesting;
mod object;
mod parted;
mod personal;
mod policy;
mod posted;
mod put;
mod service;
mod shared;
mod strict;
mod tee;
mod unsafe_method;
mod written;

pub use self::{
    body::ResponseBody,
    class::{Class, Classes},
    dependency::Dependency,
    directive::{CacheDirective, Tag},
    engine::{CacheStats, background::Unfinished},
    events::{Changed, Following, FollowingEnd, Rules},
    future::ResponseFuture,
    handle::CacheHandle,
    http::{key::QueryRules, labels::TagField, status::CacheStatus},
    inspect::{InspectedState, Inspection},
    layer::{CacheLayer, CacheLayerBuilder},
    object::{CacheKey, Fence, ObjectCache},
    policy::CachePolicy,
    put::NotStored,
    service::Cache,
    written::Written,
};
pub use tower_keep_store::{ConfigError, Consistency};
