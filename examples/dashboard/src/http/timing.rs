//! The report on each response, outside the cache.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use axum::{extract::Request, response::Response};
use http::{HeaderName, HeaderValue};
use tower_layer::Layer;

use super::QueryCount;

/// Adds `Server-Timing: total;dur=<ms>, db;desc="<n> queries"`.
///
/// It stands outside the cache: what it says is about this request, never about
/// the one that filled the entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimingLayer;

impl<S> Layer<S> for TimingLayer {
    type Service = Timing<S>;

    fn layer(&self, inner: S) -> Timing<S> {
        Timing { inner }
    }
}

/// The service that [`TimingLayer`] makes.
#[derive(Clone, Debug)]
pub(crate) struct Timing<S> {
    inner: S,
}

impl<S> tower_service::Service<Request> for Timing<S>
where
    S: tower_service::Service<Request, Response = Response>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let count = QueryCount::default();
        request.extensions_mut().insert(count.clone());
        let start = Instant::now();
        let response = self.inner.call(request);
        Box::pin(async move {
            let mut response = response.await?;
            let report = report(start, &count);
            response
                .headers_mut()
                .extend(report.map(|value| (SERVER_TIMING, value)));
            Ok(response)
        })
    }
}

fn report(start: Instant, count: &QueryCount) -> Option<HeaderValue> {
    let milliseconds = start.elapsed().as_secs_f64() * 1000.0;
    let queries = count.total();
    HeaderValue::try_from(format!(
        "total;dur={milliseconds:.3}, db;desc=\"{queries} queries\""
    ))
    .ok()
}

/// W3C Server Timing.
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
