//! Shadows refuse nobody, and count everything.

use http::StatusCode;
use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer};
use tower_keep_test_support::RedisServer;

use crate::{
    common::{builder, from, limited, send, status},
    schedules::stores,
};

fn by_merchant() -> Key {
    Key::header("x-merchant-id")
}

fn identified(by: Key) -> Policy {
    Policy::new("tenant", Quota::per_minute(1))
        .by(by)
        .refuse_missing_key()
        .shadow()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_refuses_nobody_whose_key_is_missing() {
    let server = RedisServer::start();
    let later = || Key::from_async_fn(|_| async { None::<String> });
    for store in stores(&server) {
        for key in [Key::header("x-tenant"), later()] {
            let layer = RateLimitLayer::builder(store.clone()).policy(identified(key));
            let layer = layer.build().expect("makes sense");
            let (service, _) = limited(&layer);
            for _ in 0..3 {
                assert_eq!(status(&service, "m").await, StatusCode::OK);
            }
            assert_eq!(layer.handle().stats().shadow_refused, 3);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_counts_what_it_would_have_refused_with_leases_too() {
    let server = RedisServer::start();
    let store = builder().connect(&server.url()).expect("a good URL");
    let real = Policy::new("real", Quota::per_day(1_000_000)).by(by_merchant());
    let shadow = Policy::new("shadow", Quota::per_day(10)).by(by_merchant());
    let layer = RateLimitLayer::builder(store)
        .policy(real)
        .policy(shadow.shadow())
        .allow_leases(0.5)
        .build()
        .expect("makes sense");
    let (service, _) = limited(&layer);
    for _ in 0..1000 {
        assert_eq!(send(&service, from("m")).await.status(), StatusCode::OK);
    }
    let stats = layer.handle().stats();
    assert_eq!(stats.shadow_refused, 990, "{stats:?}");
}
