//! What leases may let through where policies have different keys.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer};
use tower_keep_store::Clock;
use tower_keep_test_support::RedisServer;

use crate::common::{Limited, START, builder, limited, send};

async fn passes(service: &Limited, user: u32) -> bool {
    let request = Request::builder()
        .header("x-tenant", "t")
        .header("x-user", user);
    let request = request
        .body(Full::<Bytes>::default())
        .expect("a valid request");
    send(service, request).await.status() == StatusCode::OK
}

#[tokio::test(flavor = "multi_thread")]
async fn permits_of_many_users_of_one_tenant_are_no_more_than_the_share_of_the_tenant() {
    let server = RedisServer::start();
    let clock = Clock::manual(START);
    let store = builder()
        .clock(clock.clone())
        .connect(&server.url())
        .expect("a good URL");
    let limit = 1000;
    let tenant =
        Policy::new("tenant", Quota::per_day(limit).fixed_window()).by(Key::header("x-tenant"));
    let user = Policy::new("user", Quota::per_day(100_000)).by(Key::header("x-user"));
    let layer = RateLimitLayer::builder(store)
        .policy(tenant)
        .policy(user)
        .allow_leases(0.1)
        .build();
    let (service, _) = limited(&layer.expect("makes sense"));
    // Each user stops when sixteen permits have just been taken for him.
    for user in 0..20 {
        for _ in 0..19 {
            assert!(passes(&service, user).await);
        }
    }
    clock.advance(Duration::from_secs(24 * 3600));
    let mut passed = 0;
    for user in 0..20 {
        for _ in 0..16 {
            passed += u32::from(passes(&service, user).await);
        }
    }
    for stranger in 1000..1000 + limit {
        passed += u32::from(passes(&service, stranger).await);
    }
    assert!(
        passed <= limit + limit / 10,
        "{passed} of {limit} in one day"
    );
}
