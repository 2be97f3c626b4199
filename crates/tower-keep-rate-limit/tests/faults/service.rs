//! What the layer does to the services that it wraps.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tokio::sync::Semaphore;
use tower::{
    BoxError, Layer, Service, ServiceExt, buffer::Buffer, limit::ConcurrencyLimit,
    load_shed::LoadShed, util::BoxCloneSyncService,
};
use tower_keep_rate_limit::{Quota, RateLimitLayer};
use tower_keep_test_support::{Random, eventually, holds_within, seed};

use crate::{
    common::{LONG, from, stores},
    tools::{layer, merchant},
};

const PERMITS: usize = 8;
const QUOTA: u64 = 500;

type Stack = BoxCloneSyncService<Request<Full<Bytes>>, StatusCode, BoxError>;

/// A service with permits, and how often it was called.
struct Inner {
    calls: Arc<AtomicU64>,
    permits: Arc<Semaphore>,
}

impl Inner {
    fn new() -> Self {
        Self {
            calls: Arc::default(),
            permits: Arc::new(Semaphore::new(PERMITS)),
        }
    }

    fn service(
        &self,
    ) -> ConcurrencyLimit<
        impl Service<
            Request<Full<Bytes>>,
            Response = Response<Full<Bytes>>,
            Error = Infallible,
            Future: Send,
        >
        + Clone
        + Send
        + Sync
        + 'static
        + use<>,
    > {
        let calls = self.calls.clone();
        let handler = tower::service_fn(move |_| {
            calls.fetch_add(1, Ordering::Relaxed);
            async {
                tokio::task::yield_now().await;
                Ok(Response::new(Full::from("ok")))
            }
        });
        ConcurrencyLimit::with_semaphore(handler, self.permits.clone())
    }
}

/// Boxes a stack, to be driven like any other.
fn boxed<S, B>(service: S) -> Stack
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: 'static,
{
    let service = service
        .map_err(Into::into)
        .map_response(|answer: Response<B>| answer.status());
    BoxCloneSyncService::new(service)
}

/// Each of the stacks around a layer on its store.
fn stacks(layer: &RateLimitLayer, inner: &Inner) -> Vec<Stack> {
    vec![
        boxed(layer.layer(inner.service())),
        boxed(layer.layer(Buffer::new(inner.service(), 16))),
        boxed(layer.layer(LoadShed::new(inner.service()))),
        boxed(Buffer::new(layer.layer(inner.service()), 16)),
        boxed(LoadShed::new(layer.layer(inner.service()))),
    ]
}

/// Which of them have a buffer.
const BUFFERED: [usize; 2] = [1, 3];

#[derive(Default)]
struct Counts {
    passed: AtomicU64,
    refused: AtomicU64,
    shed: AtomicU64,
}

/// Thousands of requests, from many at once; some leave in the middle if they may.
async fn hammer(stack: &Stack, seed: u64, may_leave: bool) -> Arc<Counts> {
    let counts = Arc::<Counts>::default();
    let mut running = tokio::task::JoinSet::new();
    for task in 0..32 {
        let (stack, counts) = (stack.clone(), counts.clone());
        let mut random = Random::new(seed + task);
        running.spawn(async move {
            for _ in 0..100 {
                let answer = stack.clone().oneshot(from("m"));
                let patience = if may_leave && random.below(2) == 0 {
                    Duration::from_micros(random.below(300))
                } else {
                    LONG
                };
                match tokio::time::timeout(patience, answer).await {
                    Ok(Ok(StatusCode::OK)) => counts.passed.fetch_add(1, Ordering::Relaxed),
                    Ok(Ok(StatusCode::TOO_MANY_REQUESTS)) => {
                        counts.refused.fetch_add(1, Ordering::Relaxed)
                    }
                    Ok(Ok(other)) => panic!("{other}"),
                    Ok(Err(_)) => counts.shed.fetch_add(1, Ordering::Relaxed),
                    Err(_) => 0,
                };
            }
        });
    }
    running.join_all().await;
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inner_service_is_called_as_often_as_requests_pass_and_keeps_its_permits() {
    let stores = stores();
    for (store, clock) in stores.stores {
        let layer = layer(
            store,
            merchant(Quota::per_day(u32::try_from(QUOTA).expect("small"))),
        );
        let inner = Inner::new();
        for (place, stack) in stacks(&layer, &inner).iter().enumerate() {
            let before = layer.handle().stats().allowed;
            let counts = hammer(stack, seed(), false).await;
            let passed = counts.passed.load(Ordering::Relaxed);
            let shed = counts.shed.load(Ordering::Relaxed);
            let allowed = layer.handle().stats().allowed - before;
            let calls = inner.calls.swap(0, Ordering::Relaxed);
            assert_eq!(calls, passed, "stack {place}");
            let refused = counts.refused.load(Ordering::Relaxed);
            // Before the layer, most may be shed: then fewer than the quota arrive.
            let arrived = if shed > 0 { passed + refused } else { QUOTA };
            assert!(
                allowed <= QUOTA && allowed >= QUOTA.min(arrived),
                "stack {place}"
            );
            // Behind the layer an overloaded service sheds what was charged; before it, what was not.
            assert!(passed <= QUOTA && passed + shed >= QUOTA, "stack {place}");
            assert!(refused + shed > 0, "stack {place}");
            eventually(LONG, async || inner.permits.available_permits() == PERMITS).await;
            clock.advance(Duration::from_secs(48 * 3600));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_permit_is_lost_with_clients_that_leave_in_the_middle() {
    let stores = stores();
    for (store, clock) in stores.stores {
        let layer = layer(
            store,
            merchant(Quota::per_day(u32::try_from(QUOTA).expect("small"))),
        );
        let inner = Inner::new();
        for (place, stack) in stacks(&layer, &inner).into_iter().enumerate() {
            hammer(&stack, seed(), true).await;
            let calls = inner.calls.swap(0, Ordering::Relaxed);
            assert!(calls <= QUOTA, "{calls}");
            if BUFFERED.contains(&place) {
                // Its worker may have got in line for somebody who has left, and keeps the place for the next.
                drop(stack);
            }
            let is_back = async || inner.permits.available_permits() == PERMITS;
            assert!(holds_within(LONG, is_back).await, "stack {place}");
            clock.advance(Duration::from_secs(48 * 3600));
        }
    }
}
