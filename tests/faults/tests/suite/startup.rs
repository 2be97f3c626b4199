//! An application that starts while Redis is down.

use std::time::{Duration, Instant};

use http::StatusCode;
use tower_keep_faults::{
    Client, DEADLINE, Hiring, LONG, RECOVERY, SLACK, Site, caching_returns, restart, resume,
};
use tower_keep_test_support::RedisServer;

use crate::process;

const PAGES: [&str; 4] = [
    "/api/candidates/1",
    "/api/candidates",
    "/api/dashboard/1",
    "/api/jobs",
];

/// Every page, from the database and in time.
async fn is_served_without_a_cache(client: &mut Client) {
    for path in PAGES {
        let uncached = client.get_uncached(path).await;
        for _ in 0..3 {
            let answer = client.get(path).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
            assert_eq!(answer.body, uncached.body, "{path}");
            assert!(answer.queries() > 0, "{path} came from nowhere");
            assert!(
                !answer.is_hit(),
                "{path}: what others invalidated is not known"
            );
            let bound = uncached.took + 3 * DEADLINE + SLACK;
            assert!(answer.took < bound, "{path} took {:?}", answer.took);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_starts_while_redis_is_dead_and_caches_when_it_comes() {
    let mut redis = RedisServer::start();
    redis.kill();
    let hiring = Hiring::new();
    let application = process(&hiring, &redis.url());
    let mut client = application.client().await;
    is_served_without_a_cache(&mut client).await;
    restart(&mut redis);
    caching_returns(&mut client, &redis, RECOVERY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_starts_while_redis_hangs_and_caches_when_it_goes_on() {
    let mut redis = RedisServer::start();
    redis.pause();
    let hiring = Hiring::new();
    let started = Instant::now();
    let site = Site::on(&hiring, &redis.url()).await;
    assert!(started.elapsed() < LONG, "it does not wait for Redis");
    let mut client = site.client().await;
    is_served_without_a_cache(&mut client).await;
    resume(&mut redis);
    caching_returns(&mut client, &redis, RECOVERY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_whose_redis_never_comes_serves_and_stops_when_asked() {
    let mut redis = RedisServer::start();
    redis.kill();
    let hiring = Hiring::new();
    let mut application = process(&hiring, &redis.url());
    is_served_without_a_cache(&mut application.client().await).await;
    let asked = Instant::now();
    let status = tokio::task::block_in_place(|| application.stop());
    assert!(status.success(), "{status}: {}", application.said());
    assert!(asked.elapsed() < Duration::from_secs(5));
}
