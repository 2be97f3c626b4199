//! What is said of the time to wait, where policies have different keys.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer};
use tower_keep_store::{Clock, Store};
use tower_keep_test_support::RedisServer;

use crate::common::{START, builder, field, limited, send};

fn ask(user: &str, tenant: &str) -> Request<Full<Bytes>> {
    let request = Request::builder()
        .header("x-user", user)
        .header("x-tenant", tenant);
    request.body(Full::default()).expect("a valid request")
}

fn layer(store: Store) -> RateLimitLayer {
    let user = Policy::new("user", Quota::per_second(1)).by(Key::header("x-user"));
    let tenant = Policy::new("tenant", Quota::per_hour(2)).by(Key::header("x-tenant"));
    let layer = RateLimitLayer::builder(store).policy(user).policy(tenant);
    layer.build().expect("makes sense")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_is_known_waits_for_buckets_that_only_others_have_seen() {
    let server = RedisServer::start();
    let clock = Clock::manual(START);
    let process = || {
        let builder = builder().clock(clock.clone());
        builder.connect(&server.url()).expect("a good URL")
    };
    let (here, _) = limited(&layer(process()));
    let (there, _) = limited(&layer(process()));
    // The other process uses up tenant "b".
    for user in ["x", "y"] {
        assert_eq!(send(&there, ask(user, "b")).await.status(), StatusCode::OK);
    }
    // Here, user "u" uses up his second, with tenant "a".
    assert_eq!(send(&here, ask("u", "a")).await.status(), StatusCode::OK);
    let refusal = send(&here, ask("u", "b")).await;
    assert_eq!(refusal.status(), StatusCode::TOO_MANY_REQUESTS);
    let seconds = field(&refusal, "retry-after").expect("told").parse();
    let seconds: u64 = seconds.expect("a number");
    clock.advance(Duration::from_secs(seconds));
    assert_eq!(
        send(&here, ask("u", "b")).await.status(),
        StatusCode::OK,
        "told to wait {seconds} s"
    );
}
