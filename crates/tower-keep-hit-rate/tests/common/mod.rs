//! What the tests of the layer share: a service that does as it is told, and what was counted of it.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod promtool;

use std::{
    collections::HashMap,
    convert::Infallible,
    future::{Ready, poll_fn, ready},
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower::Service;
use tower_keep_hit_rate::{HitRateHandle, HitRateLayer, HitRateLayerBuilder, Outcomes};
use tower_keep_store::{Clock, Outcome, OutcomeCell, Store, Timestamp, Told};

/// What a request says shall become of it, and how long that takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script(pub(crate) Told, pub(crate) Duration);

/// A cache of which the test decides what it does. Time passes on its clock.
#[derive(Clone, Debug)]
pub(crate) struct Scripted(pub(crate) Clock);

impl<B> Service<Request<B>> for Scripted {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if let Some(Script(told, time)) = request.extensions().get() {
            let cell = request.extensions().get::<OutcomeCell>();
            cell.expect("left by the layer").tell(*told);
            self.0.advance(*time);
        }
        ready(Ok(Response::new(Full::from("0123456789"))))
    }
}

/// A store with a clock that the test moves.
pub(crate) fn place() -> (Store, Clock) {
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    (Store::builder().clock(clock.clone()).memory(), clock)
}

/// A layer whose classes are the first segments of the path.
pub(crate) fn by_segment(store: Store) -> HitRateLayerBuilder {
    HitRateLayer::builder(store).label(|head| {
        let segment = head.uri.path().split('/').nth(1);
        segment.map(std::borrow::Cow::Borrowed)
    })
}

pub(crate) fn get(uri: &str) -> Request<String> {
    let request = Request::get(uri).header("host", "example.com");
    request.body(String::new()).expect("a request")
}

pub(crate) fn told(uri: &str, outcome: Outcome, time: Duration) -> Request<String> {
    scripted(uri, outcome.into(), time)
}

pub(crate) fn scripted(uri: &str, told: Told, time: Duration) -> Request<String> {
    let mut request = get(uri);
    request.extensions_mut().insert(Script(told, time));
    request
}

/// Sends a request and reads the answer to its end.
pub(crate) async fn ask<S, ReqBody, B>(service: &mut S, request: Request<ReqBody>) -> Response<()>
where
    S: Service<Request<ReqBody>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
    B: Body,
    B::Error: std::fmt::Debug,
{
    poll_fn(|cx| service.poll_ready(cx)).await.expect("ready");
    let response = service.call(request).await.expect("an answer");
    let (head, body) = response.into_parts();
    let mut body = pin!(body);
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        frame.expect("a whole body");
    }
    Response::from_parts(head, ())
}

/// The outcomes of all classes together.
pub(crate) fn outcomes(handle: &HitRateHandle) -> Outcomes {
    let snapshot = handle.snapshot();
    let all = snapshot
        .classes
        .iter()
        .map(|class| class.since_start.outcomes);
    all.fold(Outcomes::default(), |mut sum, one| {
        sum.hit += one.hit;
        sum.stale += one.stale;
        sum.revalidated += one.revalidated;
        sum.collapsed += one.collapsed;
        sum.miss += one.miss;
        sum.bypass += one.bypass;
        sum.error += one.error;
        sum.rejected += one.rejected;
        sum.cancelled += one.cancelled;
        sum
    })
}

pub(crate) const MICRO: Duration = Duration::from_micros(1);
pub(crate) const MILLI: Duration = Duration::from_millis(1);

/// One name for a series, whoever tells of it: labels are sorted.
pub(crate) fn series<'a>(name: &str, labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut labels: Vec<_> = labels
        .map(|(label, value)| format!("{label}={value}"))
        .collect();
    labels.sort();
    format!("{name}{{{}}}", labels.join(","))
}

/// The series of Prometheus' text with their values. Labels have neither a comma nor an equals sign here.
pub(crate) fn scraped(text: &str) -> HashMap<String, f64> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let one = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
        let labels = labels.trim_end_matches('}').replace("\\\"", "''");
        let labels: Vec<_> = labels
            .split_terminator(',')
            .map(|label| label.replace('"', "").replace("''", "\""))
            .collect();
        let pairs = labels
            .iter()
            .map(|label| label.split_once('=').expect("a label and a value"));
        let value = value.parse().expect("a number");
        (series(name, pairs), value)
    };
    samples.map(one).collect()
}
