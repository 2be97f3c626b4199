//! Two processes' worth of the application on one database and one Redis.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::Site;
use http::StatusCode;
use tower_keep::Store;
use tower_keep_test_support::{RedisServer, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn what_one_computes_the_other_finds() {
    let redis = RedisServer::start();
    let (one, two) = pair(&redis);
    let first = one.get("/api/dashboard/1").await;
    assert!(!first.is_hit());
    eventually(SOON, async || two.get("/api/dashboard/1").await.is_hit()).await;
    assert_eq!(two.get("/api/dashboard/1").await.body, first.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_changes_the_other_sees() {
    let redis = RedisServer::start();
    let (one, two) = pair(&redis);
    for status in ["offer", "hired", "withdrawn", "applied"] {
        for site in [&one, &two] {
            site.get("/api/candidates/1").await;
            site.get("/api/candidates/1").await;
        }
        one.change_status(1, &format!(r#"{{"status":"{status}"}}"#))
            .await;
        assert_eq!(one.get("/api/candidates/1").await.json()["status"], status);
        eventually(SOON, async || {
            two.get("/api/candidates/1").await.json()["status"] == status
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_works_while_redis_is_down_and_after_it_came_back() {
    let mut redis = RedisServer::start();
    let (one, _) = pair(&redis);
    one.get("/api/candidates/1").await;
    redis.kill();
    for status in ["offer", "hired"] {
        let changed = one
            .change_status(1, &format!(r#"{{"status":"{status}"}}"#))
            .await;
        assert_eq!(changed.status, StatusCode::OK);
        assert_eq!(one.get("/api/candidates/1").await.json()["status"], status);
    }
    redis.restart();
    eventually(SOON, async || one.get("/api/candidates/2").await.is_hit()).await;
    assert_eq!(one.get("/api/candidates/1").await.json()["status"], "hired");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_while_redis_is_down() {
    let mut redis = RedisServer::start();
    redis.kill();
    let (one, _) = pair(&redis);
    let start = std::time::Instant::now();
    assert_eq!(one.get("/api/candidates/1").await.status, StatusCode::OK);
    assert!(start.elapsed() < Duration::from_secs(1));
}

fn pair(redis: &RedisServer) -> (Site, Site) {
    let connect = || Store::connect(&redis.url()).unwrap();
    let one = Site::on(connect());
    let two = one.sibling_on(connect());
    (one, two)
}

const SOON: Duration = Duration::from_secs(5);
