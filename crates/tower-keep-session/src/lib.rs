//! A Tower layer for sessions that lose no write and come back from no logout.
//!
//! # What happens to a request
//!
//! 1. The layer looks for a ticket in the request (a [cookie](SessionCookie), or another [`Transport`]) and
//!    leaves a [`SessionHandle`] in its extensions. That costs no command; a request that has two of one
//!    transport has none, and is [counted](SessionStats::ambiguous). Of several transports, the first counts.
//! 2. The handler that asks for its [`Session`] loads it: one round trip, once. Without a ticket there is none,
//!    and nothing is asked; a ticket that leads nowhere is never adopted, creates nothing and gets no cookie.
//!    From then on reading waits for nobody.
//! 3. [`set`](Session::set), [`remove`](Session::remove) and [`modify`](Session::modify) note what changes.
//!    [`increment`](Session::increment), [`update`](Session::update) and [`take`](Session::take) happen in the
//!    store at once, as do [`login`](Session::login), [`logout`](Session::logout) and
//!    [`rotate`](Session::rotate).
//! 4. When the response is there, what was noted is told to the store before the client sees the response: the
//!    fields that differ, in one script, if the session is still there. After a response of 5xx nothing is, nor
//!    where gRPC says as much before any message (in trailers after one, it says so too late). If
//!    its [time has come](SessionLayerBuilder::rotate_every), or its client was never told the ticket that a rotation
//!    gave, the session gets a new ticket in the same script.
//! 5. The response gets a cookie if there is a new ticket, with `Cache-Control: no-store`, and `Vary` if the
//!    session was looked at. It gets none because time passed: the cookie lives as long as its session can, or,
//!    if [that was chosen](Login::remember), until the browser is closed.
//!
//! With axum (feature `axum`), [`Session`] is an extractor:
//!
#![cfg_attr(feature = "axum", doc = "```")]
#![cfg_attr(not(feature = "axum"), doc = "```ignore")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, body::Body, routing::{get, post}};
//! use http::{Request, StatusCode};
//! use tower::ServiceExt;
//! use tower_keep_session::{Session, SessionError, SessionLayer};
//! use tower_keep_store::Store;
//!
//! async fn login(session: Session) -> Result<(), SessionError> {
//!     // After the password was checked, that is.
//!     session.login("ada", 1).await
//! }
//!
//! async fn me(session: Session) -> Result<String, SessionError> {
//!     session.user().ok_or(SessionError::Anonymous)
//! }
//!
//! // Or Store::connect("redis://127.0.0.1")?: the same from here on, shared by all processes.
//! let app = Router::new()
//!     .route("/login", post(login))
//!     .route("/me", get(me))
//!     .layer(SessionLayer::new(Store::memory()));
//!
//! let response = app.clone().oneshot(Request::get("/me").body(Body::empty())?).await?;
//! assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
//!
//! let response = app.clone().oneshot(Request::post("/login").body(Body::empty())?).await?;
//! let cookie = response.headers()["set-cookie"].to_str()?;
//! assert!(cookie.starts_with("__Host-id=") && cookie.contains("; Secure"));
//!
//! let request = Request::get("/me").header("cookie", cookie.split(';').next().unwrap_or_default());
//! let response = app.oneshot(request.body(Body::empty())?).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//! # Ok(())
//! # }
//! ```
//!
//! On plain hyper or tonic, the handle is in the request's extensions (and an error has a
//! [code](SessionError::grpc_code) of gRPC). hyper serves what the layer makes in
//! `hyper_util::service::TowerToHyperService`; tonic takes the layer as it is, by `Server::builder().layer(…)`, best
//! with a [`Transport::Header`], as its clients keep no cookies:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_keep_session::{SessionError, SessionHandle, SessionLayer};
//! use tower_keep_store::Store;
//!
//! async fn visits(request: &Request<String>) -> Result<i64, SessionError> {
//!     let session = SessionHandle::of(request.extensions())?.load().await?;
//!     session.increment("visits", 1).await
//! }
//!
//! let layer = SessionLayer::new(Store::memory());
//! let service = layer.layer(service_fn(async |request: Request<String>| {
//!     let mut response = Response::new(String::new());
//!     match visits(&request).await {
//!         Ok(visits) => *response.body_mut() = format!("visit {visits}"),
//!         Err(error) => *response.status_mut() = error.status(),
//!     }
//!     Ok::<_, std::convert::Infallible>(response)
//! }));
//! let response = service.oneshot(Request::new(String::new())).await?;
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.headers()["cache-control"], "no-store");
//! assert_eq!(response.headers()["vary"], "cookie");
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! * **No lost write.** Only fields that a request changed are written. Two requests that change different
//!   fields, in whichever processes, lose none; nor does one whose session is rotated meanwhile, within an
//!   hour. Of two that [`set`](Session::set) the same field, the later one wins: [`update`](Session::update) and
//!   [`increment`](Session::increment) are for those who mind.
//! * **No revived session.** Every write first looks, in the same script, whether the session is still there.
//!   After a logout, a revocation, a login or its time, what a request under way has noted is dropped and
//!   [counted](SessionStats::late); its response stands, and gets no cookie. Nor can such a request
//!   list or end other sessions of its user, or log that user in again.
//! * **Atomic** is each of: what a request noted, as a whole; each of `increment`, `update` and `take`; login,
//!   rotation and logout. What was noted before one of these goes to the store with it or before it.
//! * **Login, logout and rotation are kept and told** whatever the handler answers. Even if it panics: the
//!   answer is then a 500 with the cookie. (Any other panic goes on. An `Err` of the inner service goes on too,
//!   and tells nobody: the login is lost; after a rotation the old ticket leads on.)
//! * **A ticket is a secret of 256 random bits**, of which only a digest is stored; each login makes a new one,
//!   and the old one reads nothing. What one user left in a session is gone when another logs in. One that comes
//!   again after a rotation and its grace is a [sign of theft](SessionLayerBuilder::on_reused_ticket).
//! * **Two deadlines on the server**: 24 hours after the last request, 30 days after the login. The first is
//!   put off about ten times in its length, however many requests come, and no request waits for that. A login
//!   may have [nearer ones](Login), and a cookie that the browser is to forget when it is closed.
//! * **A logout everywhere is one step**, however many sessions there are, and needs no list of them.
//! * **Tokens of other kinds can end before their time** ([`token_id`](SessionLayerBuilder::token_id),
//!   [`revoke_token`](Sessions::revoke_token)): remembered until they end by themselves, looked up with the
//!   session, and not believed while that is not possible. Who loads no session asks nobody: an
//!   [`IdentifyLayer`] around the routes that tokens open refuses revoked ones whatever their handlers do.
//! * **A store that fails is never "no session".**
//!
//! # What it tells
//!
//! Whoever [observes](tower_keep_store::Store::observe) the store hears of every load for a client that has a
//! ticket: *hit* if there is a session, *miss* if there is none (any more), *rejected* if its token was revoked,
//! *error* if the store did not answer.
//!
//! # When Redis is slow, down or lying
//!
//! No request waits longer than the store's deadline (50 ms) for a step. [`SessionHandle::load`] then fails,
//! and the handler answers 503 (with axum's extractor, that is done); on routes that
//! [allow it](SessionLayer::allow_anonymous_on_failure) the client is anonymous instead, and the session can
//! only be read. What was noted and cannot be stored turns the response into a 503; for gRPC, into status 14.
//! After a time-out it may have been stored, or be stored yet: as a whole, and only if the session is there.
//!
//! A record of the wrong type, or that is not one, is no session. A field that cannot be read
//! does no harm to others; fields of other versions are left alone. A command that the server refuses (no
//! permission, loading, out of memory) is a failure, not an absence. A server that was restarted empty, or
//! fails over and loses the last writes, loses logins; it may lose a logout too: have replicas confirm what
//! must not be lost. One that evicts ends sessions; all of a user's if it evicts the user's epoch, so that none comes
//! back. But it also brings tokens back that were revoked: let nothing be evicted (`maxmemory-policy noeviction`).
//!
//! # In Redis
//!
//! | key | type | time to live |
//! |---|---|---|
//! | `namespace:s:{digest}` | string: a session without a user | until it ends |
//! | `namespace:s:{user}:digest` | string: a session of a user | until it ends |
//! | the same, after its end | string: that it ended, or where it went | 60 s; after a rotation as long as the session, until the new ticket is used, then an hour and the grace |
//! | `namespace:su:{user}:00000000` | string: the user's epoch: what began before it is over, and everything without it | a minute longer than a session can; after a logout everywhere, 400 days and a minute: no session of before is there then |
//! | `namespace:su:{user}:00000001` | hash: the user's sessions by name, each with its label and where it is | as long as a session can |
//! | `namespace:st:{digest}` | string: a token that was revoked | until it ends by itself, and a minute; 7 days if nobody knows |
//! | `namespace:log` | stream: tells all processes of ends; see [`InvalidationLog`](tower_keep_store::InvalidationLog) | a day, renewed |
//!
//! Digests of users begin with the store's [secret](tower_keep_store::StoreBuilder::secret). A session is one
//! string, because that is what can be read fastest: a few numbers, and a map (msgpack) of its values. Those are JSON,
//! and lie there as they are, as do names of users. A script that changes some of them leaves the others as it finds
//! them, also those of later versions. It writes the whole string, whatever it changes: what is large, and changes
//! often, does not belong in a session.
//!
//! The string says until when the session stays, so that a read need not ask. The server's clock counts: how far it is
//! from this process's is learned from renewals and rotations. To a process that finds a session overdue, because clocks differ by
//! more than it still has to live or because somebody made its key last (`PERSIST`), the server says what is so; to a
//! script, what is overdue by the server's clock is none.
//!
//! | request | round trips |
//! |---|---|
//! | does not look at the session, or has no ticket | 0 |
//! | reads, whatever and how often | 1: `GET`, with a user `MGET` of the epoch too, with a token `EXISTS` |
//! | reads with a ticket from before a rotation | as many again for each step there, and perhaps a `PTTL` |
//! | changes fields | the read, and 1 script |
//! | logs in, rotates, logs out | the read, and 1 script; the end is told in the log, without waiting |
//! | comes first with the ticket of a rotation | the read; 1 script, without waiting |
//! | logs a user out everywhere | 1 script, after the read if a session asks; told in the log, without waiting |
//! | lists a user's sessions | 2 |
//!
//! # Where it stands
//!
//! Inside tracing and limits by address, outside limits by user and caches. An [`IdentifyLayer`] just inside it
//! tells limits who is logged in. In whichever order it stands with a cache, a response whose session was looked
//! at is stored for nobody; nor is one to a user who was identified, unless its handler
//! [says](IdentifyLayer) that it is for all. Layers on one store share their sessions and
//! users, whatever their cookies are called, unless each has a [realm](SessionLayerBuilder::realm). Browsers send cookies with requests that
//! other sites make: [`CrossOriginLayer`] refuses those.
//!
//! # Cancel safety
//!
//! A client that leaves takes with it what was noted and is not stored; what is under way to the store may
//! still be carried out, as a whole. A login that nobody is told of stays behind until it expires; a rotation that
//! nobody is told of changes nothing for its client. What goes on without the client (in a task, say) can change
//! the session; it begins none, as after the [response](SessionError::TooLate).
//!
//! # What it does not do
//!
//! It checks no password and knows no rights. What a handler notes after its response has begun (in a stream,
//! say) is stored by nobody: use what is `async` there, and [`revoked`](Session::revoked) to hear of the end. No ticket
//! can be told by then: a login, a rotation, or what would begin a session is [refused](SessionError::TooLate). On
//! the embedded store, sessions are bounded by the store's memory limit; beyond that, the one that would expire
//! first ends, those without a user before all others. Redis Cluster is not supported yet.
//!
//! # Features
//!
//! `axum`: [`Session`], `Option<Session>` and [`SessionHandle`] are extractors, and [`SessionError`] is a response.

mod answer;
mod builder;
mod cookie;
mod core;
mod cross_origin;
mod device;
mod embedded;
mod error;
#[cfg(feature = "axum")]
mod extract;
mod future;
mod handle;
mod identify;
mod label;
mod layer;
mod lifetimes;
mod login;
mod manager;
mod place;
mod record;
mod reused;
mod revoked;
mod service;
mod session;
mod sessions;
mod shared;
mod stats;
mod ticket;
mod transport;
mod value_error;

pub use self::{
    builder::SessionLayerBuilder,
    cookie::{SameSite, SessionCookie},
    cross_origin::{CrossOrigin, CrossOriginFuture, CrossOriginLayer, CrossOriginLayerBuilder},
    device::Device,
    error::SessionError,
    future::ResponseFuture,
    handle::SessionHandle,
    identify::{Identify, IdentifyFuture, IdentifyLayer},
    layer::SessionLayer,
    login::Login,
    reused::ReusedTicket,
    revoked::Revoked,
    service::SessionManager,
    session::{Map, Session},
    sessions::Sessions,
    stats::SessionStats,
    transport::Transport,
    value_error::ValueError,
};
pub use tower_keep_store::{ConfigError, ResponseBody};
