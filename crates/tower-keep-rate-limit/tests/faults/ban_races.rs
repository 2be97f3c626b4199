//! Refusals that come faster than their ban is known.

use std::time::Duration;

use http::StatusCode;
use tower_keep_rate_limit::{Quota, Subject};
use tower_keep_store::Clock;
use tower_keep_test_support::{RedisServer, eventually};

use crate::{
    common::{LONG, START, limited, status, stores},
    tools::{layer, merchant, process_by},
};

const TEN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_refusals_is_one_ban_and_not_one_that_doubled() {
    let stores = stores();
    for (store, _) in stores.stores {
        let policy = merchant(Quota::per_second(1)).ban_after(3, TEN, TEN * 1000);
        let layer = layer(store, policy);
        let (service, _) = limited(&layer);
        assert_eq!(status(&service, "m").await, StatusCode::OK);
        // Faster than any ban is stored.
        for _ in 0..60 {
            assert_eq!(status(&service, "m").await, StatusCode::TOO_MANY_REQUESTS);
        }
        one_ban(&layer.handle()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_that_ban_at_once_ban_once() {
    let server = RedisServer::start();
    let clock = Clock::manual(START);
    let policy = merchant(Quota::per_second(1)).ban_after(3, TEN, TEN * 1000);
    let layers = [(); 2].map(|()| layer(process_by(&server, &clock), policy.clone()));
    let services = layers.each_ref().map(|layer| limited(layer).0);
    for round in 0..3 {
        assert_eq!(status(&services[round % 2], "m").await, StatusCode::OK);
        let refuse = async |service| {
            for _ in 0..3 {
                assert_eq!(status(service, "m").await, StatusCode::TOO_MANY_REQUESTS);
            }
        };
        tokio::join!(refuse(&services[0]), refuse(&services[1]));
        one_ban(&layers[0].handle()).await;
        // Long enough for it to be forgotten.
        clock.advance(TEN * 3);
    }
}

/// One that lasts for as long as a first one, however long one waits for another.
async fn one_ban(handle: &tower_keep_rate_limit::RateLimitHandle) {
    let wait = async || {
        let status = handle.peek("merchant", &Subject::header("m")).await;
        status.expect("answers").retry_after()
    };
    eventually(LONG, async || wait().await > Some(Duration::from_secs(1))).await;
    // Whatever else was asked for comes before these.
    for _ in 0..100 {
        assert_eq!(wait().await, Some(TEN));
    }
}
