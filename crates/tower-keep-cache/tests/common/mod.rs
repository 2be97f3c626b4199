//! What the tests of the layer share: both stores, an origin, requests and what came of them.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{
    future::poll_fn,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use http_body::Body;
use tower::{Layer, Service, ServiceExt};
use tower_keep_cache::{Cache, CacheLayer, CacheLayerBuilder, CacheStatus};
use tower_keep_store::{Clock, Outcome, OutcomeCell, Store, Timestamp, Told};
use tower_keep_test_support::{Gate, Origin, RedisServer, ScriptedBody, eventually};

pub(crate) const LONG: Duration = Duration::from_secs(10);

/// One store of the two, with a clock that the test moves.
pub(crate) struct Place {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) server: Option<RedisServer>,
}

impl Place {
    pub(crate) fn memory() -> Self {
        let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
        let store = Store::builder().clock(clock.clone()).memory();
        Self {
            store,
            clock,
            server: None,
        }
    }

    pub(crate) async fn redis() -> Self {
        let server = RedisServer::start();
        let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
        let store = connect(&server, &clock);
        eventually(LONG, async || store.log().is_current()).await;
        Self {
            store,
            clock,
            server: Some(server),
        }
    }

    pub(crate) async fn both() -> [Self; 2] {
        [Self::memory(), Self::redis().await]
    }

    pub(crate) fn layer(&self) -> CacheLayerBuilder {
        CacheLayer::builder(self.store.clone()).cache_status(CacheStatus::Explain)
    }

    /// The same store as another process would see it; the very same if it is embedded.
    pub(crate) async fn other_process(&self) -> Store {
        match &self.server {
            Some(server) => {
                let store = connect(server, &self.clock);
                eventually(LONG, async || store.log().is_current()).await;
                store
            }
            None => self.store.clone(),
        }
    }

    /// Waits until the entries of earlier requests have reached the server.
    pub(crate) async fn written(&self, entries: usize) {
        let Some(server) = &self.server else { return };
        eventually(LONG, async || {
            let stats = server.command_stats();
            stats.get("set").copied().unwrap_or(0) >= entries as u64
        })
        .await;
    }
}

fn connect(server: &RedisServer, clock: &Clock) -> Store {
    Store::builder()
        .clock(clock.clone())
        .deadline(LONG)
        .connect(&server.url())
        .expect("a good URL")
}

/// An origin that answers each call with its number and these fields.
pub(crate) fn counting(fields: &'static [(&'static str, &'static str)]) -> Origin<ScriptedBody> {
    let calls = AtomicUsize::new(0);
    Origin::new(move |_| {
        let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
        async move { Ok(response(fields, ScriptedBody::full(format!("{call}")))) }
    })
}

/// An origin whose answers wait at the gate, each with the number of its call.
pub(crate) fn gated(
    gate: &Gate,
    fields: &'static [(&'static str, &'static str)],
) -> Origin<ScriptedBody> {
    let gate = gate.clone();
    let calls = AtomicUsize::new(0);
    Origin::new(move |_| {
        let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
        let passed = gate.pass();
        async move {
            passed.await;
            Ok(response(fields, ScriptedBody::full(call.to_string())))
        }
    })
}

pub(crate) fn response(fields: &[(&str, &str)], body: ScriptedBody) -> Response<ScriptedBody> {
    let mut response = Response::builder();
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    response.body(body).expect("a response")
}

pub(crate) fn service(
    layer: &CacheLayer,
    origin: &Origin<ScriptedBody>,
) -> Cache<Origin<ScriptedBody>> {
    layer.layer(origin.clone())
}

pub(crate) fn get(uri: &str) -> Request<ScriptedBody> {
    request("GET", uri, &[])
}

pub(crate) fn request(method: &str, uri: &str, fields: &[(&str, &str)]) -> Request<ScriptedBody> {
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .header("host", "example.com");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(ScriptedBody::empty()).expect("a request")
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) told: Option<Told>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let name: HeaderName = name.parse().expect("a field name");
        Some(self.headers.get(name)?.to_str().expect("visible ASCII"))
    }

    pub(crate) fn cache_status(&self) -> &str {
        self.field("cache-status").unwrap_or("")
    }
}

/// Sends a request and reads the answer to its end.
pub(crate) async fn ask(
    service: &Cache<Origin<ScriptedBody>>,
    mut request: Request<ScriptedBody>,
) -> Answer {
    let cell = OutcomeCell::default();
    request.extensions_mut().insert(cell.clone());
    let mut service = service.clone();
    let service = service.ready().await.expect("always ready");
    let response = service.call(request).await.expect("the origin answers");
    let mut answer = read(response).await;
    answer.outcome = cell.get();
    answer.told = cell.told();
    answer
}

pub(crate) async fn read<B>(response: Response<B>) -> Answer
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let (head, body) = response.into_parts();
    let mut body = pin!(body);
    let mut data = Vec::new();
    let mut trailers = None;
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        match frame.expect("a whole body").into_data() {
            Ok(chunk) => data.extend_from_slice(&chunk),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Answer {
        status: head.status,
        headers: head.headers,
        body: data.into(),
        trailers,
        outcome: None,
        told: None,
    }
}
