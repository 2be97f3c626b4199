//! Slots: so many at once, wherever they run, and back however it ends.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt};
use tower_keep_rate_limit::{Quota, RateLimit, RateLimitLayer, Subject};
use tower_keep_test_support::{
    Gate, Origin, OriginError, Random, RedisServer, ScriptedBody, eventually, seed,
};

use crate::{
    common::{LONG, from, stores},
    tools::{layer, merchant, process},
};

type Slotted = RateLimit<Origin<Full<Bytes>>>;

/// Counts what is alive, once.
struct Life {
    alive: Arc<AtomicUsize>,
    is_over: AtomicBool,
}

impl Life {
    fn begin(alive: &Arc<AtomicUsize>, most: &AtomicUsize) -> Arc<Self> {
        most.fetch_max(alive.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        Arc::new(Self {
            alive: alive.clone(),
            is_over: AtomicBool::new(false),
        })
    }

    fn end(&self) {
        if !self.is_over.swap(true, Ordering::SeqCst) {
            self.alive.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.end();
    }
}

/// Answers, or fails, after some time; its body has frames, and ends before its last.
fn origin(alive: &Arc<AtomicUsize>, most: &Arc<AtomicUsize>) -> Origin<Full<Bytes>> {
    let (alive, most) = (alive.clone(), most.clone());
    Origin::new(move |request: Request<Full<Bytes>>| {
        let life = Life::begin(&alive, &most);
        let fails = request.headers().contains_key("x-fail");
        async move {
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
            if fails {
                return Err(OriginError::numbered(1));
            }
            let at_end = life.clone();
            let end = async move { at_end.end() };
            let body = ScriptedBody::full("a").pend_once().data("b").pend_once();
            Ok(Response::new(body.wait(end).data("c").holding(life)))
        }
    })
}

/// One request that ends in one of several ways; whether it passed.
async fn once(service: &Slotted, way: u64) -> bool {
    let mut request = from("m");
    if way == 0 {
        request.headers_mut().insert("x-fail", 1.into());
    }
    let answer = service.clone().oneshot(request);
    if way == 1 {
        // Leaves after a while, wherever the request is by then.
        let patience = Duration::from_micros(300);
        let _left = tokio::time::timeout(patience, answer).await;
        return false;
    }
    let Ok(mut response) = answer.await else {
        return true;
    };
    if response.status() != StatusCode::OK {
        return false;
    }
    if way == 2 {
        let _first = response.body_mut().frame().await;
        return true;
    }
    let body = response.into_body().collect().await;
    assert_eq!(body.expect("whole").to_bytes(), "abc");
    true
}

async fn left(layer: &RateLimitLayer) -> u32 {
    let left = layer.handle().peek("merchant", &Subject::header("m")).await;
    left.expect("answers").remaining()
}

#[tokio::test(flavor = "multi_thread")]
async fn never_more_than_three_run_at_once_in_two_processes() {
    let server = RedisServer::start();
    let (alive, most) = (Arc::default(), Arc::default());
    let layers = [(); 2].map(|()| layer(process(&server), merchant(Quota::concurrent(3))));
    let seed = seed();
    let mut running = tokio::task::JoinSet::new();
    for task in 0..24 {
        let service = layers[task % 2].layer(origin(&alive, &most));
        let mut random = Random::new(seed + task as u64);
        running.spawn(async move {
            let mut passed = 0;
            for _ in 0..100 {
                passed += usize::from(once(&service, random.below(6)).await);
                tokio::time::sleep(Duration::from_micros(random.below(2000))).await;
            }
            passed
        });
    }
    let passed: usize = running.join_all().await.into_iter().sum();
    assert_eq!(most.load(Ordering::SeqCst), 3);
    assert!(passed > 50, "{passed}");
    for layer in &layers {
        eventually(LONG, async || left(layer).await == 3).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_come_back_however_a_request_ends() {
    let stores = stores();
    for (store, _) in stores.stores {
        let layer = layer(store, merchant(Quota::concurrent(3)));
        let (alive, most) = (Arc::default(), Arc::default());
        let service = layer.layer(origin(&alive, &most));
        for way in [0, 1, 2, 3] {
            for _ in 0..3 {
                once(&service, way).await;
            }
            eventually(LONG, async || left(&layer).await == 3).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_held_until_the_body_has_ended() {
    let stores = stores();
    for (store, _) in stores.stores {
        let layer = layer(store, merchant(Quota::concurrent(3)));
        let gate = Gate::closed();
        let at = gate.clone();
        let service = layer.layer(Origin::new(move |_: Request<Full<Bytes>>| {
            let body = ScriptedBody::full("a").gate(&at).data("b");
            async { Ok(Response::new(body)) }
        }));
        let mut open = Vec::new();
        for _ in 0..3 {
            let response = service.clone().oneshot(from("m")).await;
            open.push(response.expect("answers").into_body());
        }
        assert_eq!(left(&layer).await, 0);
        let refused = service.clone().oneshot(from("m")).await.expect("answers");
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(refused.headers().contains_key("retry-after"));
        let mut first = open.remove(0);
        first.frame().await.expect("a frame").expect("whole");
        assert_eq!(left(&layer).await, 0, "half a body");
        gate.let_through(1);
        first.frame().await.expect("a frame").expect("whole");
        eventually(LONG, async || left(&layer).await == 1).await;
        drop(open);
        eventually(LONG, async || left(&layer).await == 3).await;
        drop(first);
        assert_eq!(left(&layer).await, 3, "not given back twice");
    }
}
