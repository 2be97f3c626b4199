//! Whoever waits for as long as he is told passes.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, request::Parts};
use http_body_util::Full;
use tower_keep_rate_limit::{Quota, RateLimitLayer};
use tower_keep_store::Clock;
use tower_keep_test_support::{Random, seed};

use crate::{
    common::{Answer, Limited, field, from, limited, send, stores},
    tools::merchant,
};

/// Any quota, and the most that it ever has at once.
fn any_quota(random: &mut Random) -> Quota {
    let limit = 1 + random.of_size(10);
    let limit = u32::try_from(limit).expect("small");
    let window = 1000 + random.of_size(40);
    let quota = Quota::new(limit, Duration::from_micros(window));
    match random.below(4) {
        0 => quota.strict(),
        1 => quota.fixed_window(),
        2 => quota.burst(1 + u32::try_from(random.below(u64::from(limit) * 2)).expect("small")),
        _ => quota,
    }
}

/// The quota and the cost that a request carries.
#[derive(Clone, Copy)]
struct Wanted(Quota, u32);

async fn ask(service: &Limited, key: u64, wanted: Wanted) -> Answer {
    let mut request: Request<Full<Bytes>> = from(&key.to_string());
    request.extensions_mut().insert(wanted);
    send(service, request).await
}

fn wanted(head: &Parts) -> Wanted {
    *head.extensions.get().expect("each request wants something")
}

fn service(store: tower_keep_store::Store) -> Limited {
    let policy = merchant(Quota::per_minute(1))
        .quota_by(|head| Some(wanted(head).0))
        .cost(|head| wanted(head).1);
    let layer = RateLimitLayer::builder(store)
        .policy(policy)
        .refuse_with(|status| {
            let exactly = status.retry_after().expect("it can pass");
            let response = Response::builder()
                .status(StatusCode::TOO_MANY_REQUESTS)
                .header("x-exactly", exactly.as_micros().to_string())
                .body(Bytes::new());
            response.expect("a valid response")
        })
        .build();
    limited(&layer.expect("makes sense")).0
}

fn number(answer: &Answer, name: &str) -> u64 {
    let value = field(answer, name).unwrap_or_else(|| panic!("a refusal has {name}"));
    value.parse().expect("a number")
}

/// Asks at random moments until refused, and hands each refusal to `check`.
async fn refusals(
    service: &Limited,
    clock: &Clock,
    many: u64,
    check: impl AsyncFn(u64, Wanted, Answer),
) {
    let mut random = Random::new(seed());
    let mut quota = any_quota(&mut random);
    for refusal in 0..many {
        let key = refusal / 8;
        if refusal % 8 == 0 {
            quota = any_quota(&mut random);
        }
        let most = u64::from(quota.most_at_once());
        let step = quota.window().as_micros() / u128::from(quota.limit());
        let step = u64::try_from(step).expect("a short window");
        loop {
            let cost = 1 + u32::try_from(random.below(most)).expect("small");
            let wanted = Wanted(quota, cost);
            let answer = ask(service, key, wanted).await;
            if answer.status() != StatusCode::OK {
                check(key, wanted, answer).await;
                break;
            }
            clock.advance(Duration::from_micros(random.below(step + 2)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_of_ten_thousand_refusals_pass_after_the_seconds_that_they_were_told() {
    let stores = stores();
    for (store, clock) in stores.stores {
        let service = service(store);
        refusals(&service, &clock, 10_000, async |key, wanted, refusal| {
            let seconds = number(&refusal, "retry-after");
            clock.advance(Duration::from_secs(seconds));
            let answer = ask(&service, key, wanted).await;
            assert_eq!(
                answer.status(),
                StatusCode::OK,
                "{:?}, {} units, {seconds} s",
                wanted.0,
                wanted.1
            );
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_refusal_says_is_true_to_the_microsecond() {
    let stores = stores();
    for (store, clock) in stores.stores {
        let service = service(store);
        refusals(&service, &clock, 4000, async |key, wanted, refusal| {
            let exactly = number(&refusal, "x-exactly");
            clock.advance(Duration::from_micros(exactly - 1));
            let early = ask(&service, key, wanted).await;
            assert_ne!(early.status(), StatusCode::OK, "{:?}", wanted.0);
            assert_eq!(number(&early, "x-exactly"), 1, "{:?}", wanted.0);
            clock.advance(Duration::from_micros(1));
            let in_time = ask(&service, key, wanted).await;
            assert_eq!(in_time.status(), StatusCode::OK, "{:?}", wanted.0);
        })
        .await;
    }
}
