//! One outcome for each request, whatever becomes of it.

mod common;

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::{Pin, pin},
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, Waker},
};

use futures_util::{FutureExt, future::join_all};
use http::{Request, Response};
use http_body::Body;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_keep_cache::CacheLayer;
use tower_keep_hit_rate::{HitRateHandle, HitRateLayer, Latency, Outcomes};
use tower_keep_store::{Outcome, OutcomeCell, Store};
use tower_keep_test_support::{Gate, Origin, OriginError, Random, ScriptedBody, seed};

use crate::common::{ask, get, outcomes, place, told};

/// What the inner service does with a request, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    PanicInCall,
    PanicInFuture,
    Fails,
    Answers,
    BodyFails,
    BodyPanics,
}

/// Neither `Clone` nor `'static` nor anything else.
struct Erratic<'a> {
    _nothing: &'a str,
}

#[derive(Clone, Copy)]
struct Way {
    end: End,
    word: Option<Outcome>,
    pending: u64,
}

impl<B> Service<Request<B>> for Erratic<'_> {
    type Response = Response<ScriptedBody>;
    type Error = OriginError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ScriptedBody>, OriginError>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OriginError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let way = *request.extensions().get::<Way>().expect("a way");
        if way.end == End::PanicInCall {
            resume_unwind(Box::new("in call"));
        }
        let cell = request
            .extensions()
            .get::<OutcomeCell>()
            .expect("a cell")
            .clone();
        Box::pin(async move {
            for _ in 0..way.pending {
                pend_once().await;
            }
            if let Some(word) = way.word {
                cell.set(word);
            }
            match way.end {
                End::PanicInFuture => resume_unwind(Box::new("in the future")),
                End::Fails => Err(OriginError::numbered(1)),
                _ => Ok(Response::new(body(way))),
            }
        })
    }
}

fn body(way: Way) -> ScriptedBody {
    let body = ScriptedBody::frames(["one", "two"]).pend_once();
    match way.end {
        End::BodyFails => body.error(2),
        End::BodyPanics => body.panic(),
        _ => body.data("three"),
    }
}

async fn pend_once() {
    let mut is_second = false;
    poll_fn(|_| {
        let poll = if is_second {
            Poll::Ready(())
        } else {
            Poll::Pending
        };
        is_second = true;
        poll
    })
    .await;
}

/// Polls as long as there is patience; what is left then is dropped.
fn exchange<S>(service: &mut S, request: Request<String>, patience: &mut u64)
where
    S: Service<Request<String>, Error = OriginError>,
    S::Response: IntoBody,
{
    let mut cx = Context::from_waker(Waker::noop());
    let mut future = pin!(service.call(request));
    let response = loop {
        if *patience == 0 {
            return;
        }
        *patience -= 1;
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(Ok(response)) => break response,
            Poll::Ready(Err(_)) => return,
            Poll::Pending => {}
        }
    };
    let mut body = pin!(response.into_body());
    while *patience > 0 {
        *patience -= 1;
        if let Poll::Ready(None | Some(Err(_))) = body.as_mut().poll_frame(&mut cx) {
            return;
        }
    }
}

trait IntoBody {
    type Body: Body;
    fn into_body(self) -> Self::Body;
}

impl<B: Body> IntoBody for Response<B> {
    type Body = B;
    fn into_body(self) -> B {
        Response::into_body(self)
    }
}

#[test]
fn sums_are_exact_under_cancels_panics_and_errors() {
    let mut random = Random::new(seed());
    let (layer, handle) = HitRateLayer::pair(Store::memory());
    let name = String::from("borrowed");
    let mut service = layer.layer(Erratic { _nothing: &name });
    let mut expected = Outcomes::default();
    for _ in 0..10_000 {
        let ends = [
            End::PanicInCall,
            End::PanicInFuture,
            End::Fails,
            End::Answers,
            End::BodyFails,
            End::BodyPanics,
        ];
        let words = [
            None,
            Some(Outcome::Hit),
            Some(Outcome::Miss),
            Some(Outcome::Collapsed),
        ];
        let way = Way {
            end: random.pick(&ends),
            word: random.pick(&words),
            pending: random.below(3),
        };
        let mut patience = random.below(10);
        let is_answered_for = patience > way.pending;
        let outcome = match (way.end, way.word) {
            (End::PanicInCall, _) => Outcome::Error,
            _ if !is_answered_for => Outcome::Cancelled,
            (_, Some(word)) => word,
            (End::PanicInFuture | End::Fails, None) => Outcome::Error,
            (_, None) => Outcome::Bypass,
        };
        add(&mut expected, outcome);
        let mut request = get("/");
        request.extensions_mut().insert(way);
        let exchange = || exchange(&mut service, request, &mut patience);
        let _panicked = catch_unwind(AssertUnwindSafe(exchange));
    }
    assert_eq!(outcomes(&handle), expected);
    assert_eq!(expected.sum(), 10_000);
    let snapshot = handle.snapshot();
    assert_eq!((snapshot.requests, snapshot.in_flight), (10_000, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_are_exact_over_a_cache_with_clients_that_leave() {
    let mut random = Random::new(seed());
    let store = Store::memory();
    let (layer, handle) = HitRateLayer::pair(store.clone());
    let origin = Origin::new(|request: Request<ScriptedBody>| async move {
        let number: u64 = request.uri().path()[1..].parse().expect("a number");
        for _ in 0..number % 4 {
            tokio::task::yield_now().await;
        }
        match number % 7 {
            0 => Err(OriginError::numbered(number)),
            1 => panic!("on purpose"),
            _ => Ok(cacheable(ScriptedBody::frames(["a", "b"]).pend_once())),
        }
    });
    let service = layer.layer(CacheLayer::new(store).layer(origin));
    let mut tasks = Vec::new();
    for _ in 0..2_000 {
        let mut service = service.clone();
        let request = scripted_get(&format!("/{}", random.below(60)));
        let patience = random.below(12);
        tasks.push(tokio::spawn(async move {
            let exchange = async move {
                let response = service.call(request).await?;
                let mut body = pin!(response.into_body());
                while let Some(Ok(_)) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {}
                Ok::<_, OriginError>(())
            };
            let mut exchange = pin!(exchange);
            let mut polls = 0;
            poll_fn(|cx| {
                polls += 1;
                let poll = exchange.as_mut().poll(cx);
                if polls > patience {
                    Poll::Ready(())
                } else {
                    poll.map(drop)
                }
            })
            .await;
        }));
    }
    join_all(tasks).await;
    let snapshot = handle.snapshot();
    assert_eq!((snapshot.requests, snapshot.in_flight), (2_000, 0));
    let outcomes = outcomes(&handle);
    assert_eq!(outcomes.sum(), 2_000);
    assert!(
        outcomes.hit > 0 && outcomes.miss > 0 && outcomes.error > 0,
        "{outcomes:?}"
    );
}

/// Windows turn while all threads count.
#[test]
fn sums_are_exact_when_threads_count_at_once() {
    const REQUESTS: u64 = 20_000;
    let (store, clock) = place();
    let (layer, handle) = HitRateLayer::pair(store);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut service = layer.layer(common::Scripted(clock.clone()));
            scope.spawn(move || {
                for request in 0..REQUESTS {
                    let outcome = if request % 4 == 0 {
                        Outcome::Miss
                    } else {
                        Outcome::Hit
                    };
                    let request = told("/", outcome, common::MILLI);
                    let asked = ask(&mut service, request).now_or_never();
                    asked.expect("at once");
                }
            });
        }
        for _ in 0..200 {
            let snapshot = handle.snapshot();
            let counted: u64 = snapshot
                .classes
                .iter()
                .map(|class| class.hour.outcomes.sum())
                .sum();
            assert!(counted <= snapshot.requests);
        }
    });
    let snapshot = handle.snapshot();
    assert_eq!((snapshot.requests, snapshot.in_flight), (4 * REQUESTS, 0));
    let class = snapshot.class("unmatched").expect("counted");
    // All of it took eighty seconds by the clock.
    for window in [&class.since_start, &class.hour, &class.five_minutes] {
        assert_eq!(
            (window.outcomes.miss, window.outcomes.hit),
            (REQUESTS, 3 * REQUESTS)
        );
        assert_eq!(window.cache_bytes, 30 * REQUESTS);
    }
    assert!(class.minute.outcomes.sum() < 4 * REQUESTS);
    let timed = |latency: Option<Latency>| latency.expect("measured").count;
    assert_eq!(timed(class.hit_latency), 3 * REQUESTS);
    assert_eq!(timed(class.miss_latency), REQUESTS);
}

#[tokio::test]
async fn eight_identical_cold_requests_are_one_miss_and_seven_collapsed() {
    let store = Store::memory();
    let (layer, handle) = HitRateLayer::pair(store.clone());
    let gate = Gate::closed();
    let at = gate.clone();
    let origin = Origin::new(move |_| {
        let passed = at.pass();
        async move {
            passed.await;
            Ok(cacheable(ScriptedBody::full("a page")))
        }
    });
    let service = layer.layer(CacheLayer::new(store).layer(origin.clone()));
    let asking = (0..8).map(|_| {
        let mut service = service.clone();
        async move { ask(&mut service, scripted_get("/page")).await }
    });
    let opening = async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(handle.snapshot().in_flight, 8);
        gate.open();
    };
    tokio::join!(join_all(asking), opening);
    assert_eq!(origin.calls(), 1);
    let outcomes = outcomes(&handle);
    assert_eq!(
        (outcomes.miss, outcomes.collapsed, outcomes.sum()),
        (1, 7, 8)
    );
    let snapshot = handle.snapshot();
    let class = snapshot.class("unmatched").expect("counted");
    assert_eq!(class.since_start.hit_rate, Some(0.0));
    assert_eq!(class.since_start.offload, Some(0.875));
    assert_eq!(class.collapsed_latency.expect("measured").count, 7);
}

#[tokio::test]
async fn a_service_without_a_cache_is_passed_by() {
    let (store, clock) = place();
    let (layer, handle) = HitRateLayer::pair(store);
    let mut service = layer.layer(common::Scripted(clock));
    ask(&mut service, get("/")).await;
    let snapshot = handle.snapshot();
    let window = &snapshot.class("unmatched").expect("counted").minute;
    assert_eq!((window.outcomes.bypass, window.lookups), (1, 0));
    assert_eq!((window.hit_rate, window.hit_rate_interval), (None, None));
    assert_eq!((window.offload, window.origin_calls), (Some(0.0), 1));
    assert_eq!((window.origin_bytes, window.cache_bytes), (10, 0));
}

#[tokio::test]
async fn the_word_may_come_with_the_response_where_the_request_lost_its_cell() {
    let (layer, handle) = HitRateLayer::pair(Store::memory());
    let inner = service_fn(async |_: Request<String>| {
        let mut response = Response::new(ScriptedBody::empty());
        let cell = OutcomeCell::default();
        cell.set(Outcome::Stale);
        response.extensions_mut().insert(cell);
        Ok::<_, OriginError>(response)
    });
    let mut service = layer.layer(inner);
    ask(&mut service, get("/")).await;
    assert_eq!(outcomes(&handle).stale, 1);
}

#[tokio::test]
async fn two_layers_hear_the_same_word_and_a_second_try_has_its_own() {
    let (store, clock) = place();
    let (inner, inner_handle) = HitRateLayer::pair(store.clone());
    let (outer, outer_handle) = HitRateLayer::pair(store);
    let mut service = outer.layer(inner.layer(common::Scripted(clock)));
    let used = OutcomeCell::default();
    used.set(Outcome::Miss);
    for cell in [None, Some(used)] {
        let mut request = told("/", Outcome::Hit, common::MICRO);
        if let Some(cell) = cell {
            request.extensions_mut().insert(cell);
        }
        ask(&mut service, request).await;
    }
    assert_eq!(outcomes(&outer_handle).hit, 2);
    assert_eq!(outcomes(&inner_handle).hit, 2);
}

/// The client has its answer.
#[tokio::test]
async fn a_second_try_between_the_layer_and_the_cache_makes_an_error_good() {
    let store = Store::memory();
    let (layer, handle) = HitRateLayer::pair(store.clone());
    let calls = AtomicU64::new(0);
    let origin = Origin::new(move |_: Request<ScriptedBody>| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        async move {
            match call {
                0 => Err(OriginError::numbered(1)),
                _ => Ok(cacheable(ScriptedBody::frames(["a"]))),
            }
        }
    });
    let cached = CacheLayer::new(store).layer(origin);
    let twice = service_fn(move |request: Request<ScriptedBody>| {
        let cached = cached.clone();
        async move {
            let mut again = Request::new(ScriptedBody::frames([""; 0]));
            *again.uri_mut() = request.uri().clone();
            *again.extensions_mut() = request.extensions().clone();
            *again.headers_mut() = request.headers().clone();
            match cached.clone().oneshot(request).await {
                Err(_) => cached.oneshot(again).await,
                answered => answered,
            }
        }
    });
    let mut service = layer.layer(twice);
    ask(&mut service, scripted_get("/a")).await;
    let counted = outcomes(&handle);
    assert_eq!((counted.error, counted.miss), (0, 1));
    let snapshot = handle.snapshot();
    assert_eq!(snapshot.classes[0].since_start.origin_calls, 2);
}

#[tokio::test]
async fn a_body_is_whole_when_all_that_was_promised_has_passed() {
    let (layer, handle) = HitRateLayer::pair(Store::memory());
    let inner = service_fn(async |request: Request<String>| {
        let body = ScriptedBody::frames(["four", "more"])
            .trailers(http::HeaderMap::new())
            .unknown_length();
        let mut response = Response::new(body);
        if let Some(length) = request.headers().get("length") {
            response
                .headers_mut()
                .insert("content-length", length.clone());
        }
        Ok::<_, OriginError>(response)
    });
    let mut service = layer.layer(inner);
    for (length, unfinished) in [("8", 0), ("9", 1), ("x", 2)] {
        let mut request = get("/");
        let length = length.parse().expect("a value");
        request.headers_mut().insert("length", length);
        let response = service.call(request).await.expect("an answer");
        let mut body = Box::pin(response.into_body());
        for _ in 0..2 {
            poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
        }
        // As servers do.
        drop(body);
        assert_eq!(abandoned(&handle), unfinished);
    }
    assert_eq!(handle.snapshot().in_flight, 0);
}

fn abandoned(handle: &HitRateHandle) -> u64 {
    let snapshot = handle.snapshot();
    let classes = snapshot.classes.iter();
    classes
        .map(|class| class.since_start.bodies_abandoned)
        .sum()
}

fn add(outcomes: &mut Outcomes, outcome: Outcome) {
    match outcome {
        Outcome::Hit => outcomes.hit += 1,
        Outcome::Collapsed => outcomes.collapsed += 1,
        Outcome::Miss => outcomes.miss += 1,
        Outcome::Bypass => outcomes.bypass += 1,
        Outcome::Error => outcomes.error += 1,
        Outcome::Cancelled => outcomes.cancelled += 1,
        other => panic!("{other} is not scripted"),
    }
}

fn cacheable(body: ScriptedBody) -> Response<ScriptedBody> {
    let response = Response::builder().header("cache-control", "max-age=60");
    response.body(body).expect("a response")
}

fn scripted_get(uri: &str) -> Request<ScriptedBody> {
    get(uri).map(ScriptedBody::full)
}
