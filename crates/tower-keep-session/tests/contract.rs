//! Tower's contract, on every way that a request can take through the layer.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderValue, Request, header};
use tower_keep_contract::{Contract, Readiness};
use tower_keep_session::{Identify, IdentifyLayer, SessionHandle, SessionLayer};
use tower_keep_store::Store;
use tower_keep_test_support::RedisServer;
use tower_layer::Layer;
use tower_service::Service;

/// The session layer around a service that looks at the session, and changes it, before it does its work.
#[derive(Clone, Debug)]
struct Looks(SessionLayer);

#[derive(Clone, Debug)]
struct Looking<S>(S);

impl<S> Layer<S> for Looks {
    type Service = tower_keep_session::SessionManager<Looking<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        self.0.layer(Looking(inner))
    }
}

/// The session layer around one that tells who it is.
#[derive(Clone, Debug)]
struct Identifies(SessionLayer);

impl<S> Layer<S> for Identifies {
    type Service = tower_keep_session::SessionManager<Identify<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        self.0.layer(IdentifyLayer::new().layer(inner))
    }
}

type Future_<R, E> = Pin<Box<dyn Future<Output = Result<R, E>> + Send>>;

impl<S, B> Service<Request<B>> for Looking<S>
where
    S: Service<Request<B>>,
    S::Future: Send + 'static,
    S::Response: 'static,
    S::Error: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Future_<S::Response, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let handle = SessionHandle::of(request.extensions());
        let inner = self.0.call(request);
        Box::pin(async move {
            let session = handle.expect("the layer").load().await;
            let session = session.expect("the store answers");
            session.set("seen", &true).expect("is noted");
            inner.await
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_for_those_who_do_not_look() {
    let contract = Contract::new(|| SessionLayer::new(Store::memory()));
    let contract = contract.readiness(Readiness::PassedThrough);
    contract.run().await;
    contract.run_on_stacks().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_for_those_with_a_cookie_that_leads_nowhere() {
    let cookie = format!("__Host-id={}", "A".repeat(43));
    let cookie = HeaderValue::from_str(&cookie).expect("a cookie");
    let contract = Contract::new(|| SessionLayer::new(Store::memory()));
    let contract = contract.request_field(header::COOKIE, cookie);
    contract.run().await;
    contract.run_on_stacks().await;
}

fn looks(layer: impl Fn() -> SessionLayer + 'static) -> Contract<Looks> {
    Contract::new(move || Looks(layer()))
        .readiness(Readiness::PassedThrough)
        .adds_to_responses(header::SET_COOKIE)
        .adds_to_responses(header::CACHE_CONTROL)
        .adds_to_responses(header::VARY)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_for_those_who_write_in_memory() {
    let contract = looks(|| SessionLayer::new(Store::memory()));
    contract.run().await;
    contract.run_on_stacks().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_for_those_who_write_on_redis() {
    let server = RedisServer::start();
    let url = server.url();
    let contract = looks(move || {
        let store = Store::builder().deadline(Duration::from_secs(5));
        SessionLayer::new(store.connect(&url).expect("a good URL"))
    });
    contract.run().await;
    contract.run_on_stacks().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_where_it_is_told_who_asks() {
    let server = RedisServer::start();
    let url = server.url();
    let cookie = format!("__Host-id={}", "A".repeat(43));
    let cookie = HeaderValue::from_str(&cookie).expect("a cookie");
    let contract = Contract::new(move || {
        let store = Store::builder().deadline(Duration::from_secs(5));
        Identifies(SessionLayer::new(store.connect(&url).expect("a good URL")))
    });
    let contract = contract.request_field(header::COOKIE, cookie);
    contract.run().await;
    contract.run_on_stacks().await;
}
