//! A small application behind a cache, with a limit and a time-out inside.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    error_handling::HandleErrorLayer,
    extract::{Path, Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::get,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::{net::TcpListener, task::JoinHandle};
use tower::{
    BoxError, ServiceBuilder, limit::GlobalConcurrencyLimitLayer, load_shed::LoadShedLayer,
    timeout::TimeoutLayer,
};
use tower_keep::{CacheHandle, CacheLayer, Store};
use tower_keep_test_support::{Gate, InFlight, ScriptedBody};

/// What the handlers wait at and count.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// Before the head of `/slow/…`.
    pub(crate) head: Gate,
    /// Between the two frames of `/stream/…`.
    pub(crate) second_frame: Gate,
    calls: Arc<AtomicUsize>,
    /// Requests that came, whoever answered them.
    arrived: Arc<AtomicUsize>,
    in_flight: InFlight,
}

impl Origin {
    /// Requests whose head has not been answered and whose client is not known to have left.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.count()
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn arrived(&self) -> usize {
        self.arrived.load(Ordering::SeqCst)
    }
}

/// The application, served on a port.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) origin: Origin,
    pub(crate) handle: CacheHandle,
    task: JoinHandle<()>,
}

/// What stands between the cache and the handlers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) concurrency: usize,
    pub(crate) sheds: bool,
    pub(crate) patience: Duration,
}

impl Limits {
    pub(crate) const WIDE: Self = Self {
        concurrency: 1000,
        sheds: false,
        patience: Duration::from_secs(60),
    };
}

impl Server {
    pub(crate) async fn start(limits: Limits) -> Self {
        Self::on(Store::memory(), limits).await
    }

    pub(crate) async fn on(store: Store, limits: Limits) -> Self {
        let origin = Origin {
            head: Gate::opened(),
            second_frame: Gate::opened(),
            calls: Arc::default(),
            arrived: Arc::default(),
            in_flight: InFlight::default(),
        };
        let cache = CacheLayer::new(store);
        let handle = cache.handle();
        let router = routes(limits)
            .layer(cache)
            .layer(from_fn_with_state(origin.clone(), count_arrival))
            .with_state(origin.clone());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it goes on");
        });
        Self {
            address,
            origin,
            handle,
            task,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn routes(limits: Limits) -> Router<Origin> {
    let refuse = async |error: BoxError| (StatusCode::SERVICE_UNAVAILABLE, error.to_string());
    let shedding = limits.sheds.then(LoadShedLayer::new);
    let inside = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(refuse))
        .option_layer(shedding)
        .layer(GlobalConcurrencyLimitLayer::new(limits.concurrency))
        .layer(TimeoutLayer::new(limits.patience));
    Router::new()
        .route("/page/{name}", get(page))
        .route("/slow/{name}", get(slow))
        .route("/stream/{name}", get(stream))
        .route("/trailers/{name}", get(trailers))
        .route_layer(inside)
}

async fn count_arrival(State(origin): State<Origin>, request: Request, next: Next) -> Response {
    let _in_flight = origin.in_flight.enter();
    origin.arrived.fetch_add(1, Ordering::SeqCst);
    next.run(request).await
}

async fn page(State(origin): State<Origin>, Path(name): Path<String>) -> Response {
    answer(&origin, ScriptedBody::full(name))
}

async fn slow(State(origin): State<Origin>, Path(name): Path<String>) -> Response {
    let response = answer(&origin, ScriptedBody::full(name));
    origin.head.pass().await;
    response
}

async fn stream(State(origin): State<Origin>, Path(name): Path<String>) -> Response {
    let body = ScriptedBody::full(format!("{name}: first, "))
        .gate(&origin.second_frame)
        .data("second")
        .unknown_length();
    answer(&origin, body)
}

async fn trailers(State(origin): State<Origin>, Path(name): Path<String>) -> Response {
    let sum = HeaderMap::from_iter([(CHECKSUM, HeaderValue::from_static("c0ffee"))]);
    let body = ScriptedBody::full(name).trailers(sum).unknown_length();
    let mut response = answer(&origin, body);
    // Without it HTTP/1.1 servers send none.
    let announced = HeaderValue::from_static("x-checksum");
    response.headers_mut().insert(header::TRAILER, announced);
    response
}

fn answer(origin: &Origin, body: ScriptedBody) -> Response {
    origin.calls.fetch_add(1, Ordering::SeqCst);
    let fresh = HeaderValue::from_static("max-age=600");
    // Not `Sync`, as axum wants it: it is polled in one place only.
    let mut response = Response::new(Body::new(http_body_util::BodyExt::boxed_unsync(body)));
    response.headers_mut().insert(header::CACHE_CONTROL, fresh);
    response
}

pub(crate) const CHECKSUM: http::HeaderName = http::HeaderName::from_static("x-checksum");
