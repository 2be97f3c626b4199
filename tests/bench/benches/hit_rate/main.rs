//! What it costs to be counted: trivial services, called in process, with and without the layer around them.

use std::{
    borrow::Cow,
    convert::Infallible,
    future::Ready,
    task::{Context, Poll},
};

use bytes::Bytes;
use criterion::Criterion;
use http::Response;
use http_body_util::Full;
use tower::{Layer, Service};
use tower_keep_bench::{
    Bare, Load, Request, criterion, figures, from_address, get, measure,
    report::{self, Row, Target::Over, row},
};
use tower_keep_hit_rate::HitRateLayer;
use tower_keep_store::{Outcome, OutcomeCell, Store};

fn main() {
    let figures = figures(env!("CARGO_TARGET_TMPDIR"));
    let mut criterion = criterion(&figures);
    for load in [Load::alone(), Load::crowd()] {
        run(&mut criterion, &load);
    }
    criterion.final_summary();
    report::print(&figures, &ROWS);
}

fn run(criterion: &mut Criterion, load: &Load) {
    let builder = HitRateLayer::builder(Store::memory());
    let builder = builder.label(|_| Some(Cow::Borrowed("items")));
    let (layer, _handle) = builder.build().expect("makes sense");
    let told = Tells(Bare::new());
    let page = |task| get(&format!("/items/{task}"));
    // As a server gives them out that tells who is at the other end: there is a map to put the cell in.
    let known = |_| from_address(([192, 0, 2, 7], 49152).into());

    measure(criterion, (GROUP, "bare"), load, &told, page);
    let counted = layer.layer(told.clone());
    measure(criterion, (GROUP, "own-cell"), load, &counted, page);
    measure(criterion, (GROUP, "bare-known"), load, &told, known);
    measure(criterion, (GROUP, "own-cell-known"), load, &counted, known);
    let given = Gives(told);
    measure(criterion, (GROUP, "bare-given"), load, &given, page);
    let counted = Gives(counted);
    measure(criterion, (GROUP, "given-cell"), load, &counted, page);
}

/// Tells whoever asks that it was a hit.
#[derive(Clone)]
struct Tells(Bare);

impl Service<Request> for Tells {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if let Some(cell) = request.extensions().get::<OutcomeCell>() {
            cell.set(Outcome::Hit);
        }
        self.0.call(request)
    }
}

/// Leaves an empty cell, as a server might.
#[derive(Clone)]
struct Gives<S>(S);

impl<S: Service<Request>> Service<Request> for Gives<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        request.extensions_mut().insert(OutcomeCell::default());
        self.0.call(request)
    }
}

const GROUP: &str = "hit-rate";

const ROWS: [Row; 3] = [
    row("hit-rate/own-cell", "hit-rate/bare", Over(250.0)),
    row(
        "hit-rate/own-cell-known",
        "hit-rate/bare-known",
        Over(250.0),
    ),
    row("hit-rate/given-cell", "hit-rate/bare-given", Over(250.0)),
];
