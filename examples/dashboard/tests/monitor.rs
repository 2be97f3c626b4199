//! What the monitor says of the cache, and that watching does not count.

#![allow(clippy::unwrap_used)]

mod common;

use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use axum::body::Body;
use common::Site;
use dashboard::Monitoring;
use http::{Request, StatusCode};
use serde_json::Value;
use tower_keep::Store;
use tower_keep_test_support::{RedisServer, eventually};

/// The mission's two cases: a page that takes long, asked for by many, and a row by its key, behind Redis,
/// asked for now and then.
#[tokio::test(flavor = "multi_thread")]
async fn recommendations_are_excellent_and_a_row_by_its_key_is_not_worth_it() {
    let redis = RedisServer::start();
    let site = Site::on(Store::connect(&redis.url()).unwrap());
    let site = site.judged(Monitoring {
        warm_up: Duration::from_secs(1),
    });
    for id in [1, 2, 1, 2] {
        site.get(&format!("/api/candidates/{id}")).await;
    }
    let clients = AtomicU8::new(0);
    eventually(Duration::from_secs(60), async || {
        load(&site, clients.fetch_add(1, Ordering::Relaxed)).await;
        let recommendations = class(&site, "/api/recommendations/{candidate}").await;
        let candidate = class(&site, "/api/candidates/{id}").await;
        eprintln!("{} {} {} {}\n{}\n{}", recommendations["verdict"], recommendations["worth"], candidate["worth"],  candidate["verdict"], recommendations["hour"], candidate["hour"]);
        recommendations["verdict"] == "excellent"
            && recommendations["worth"] == "worth_it"
            && ["not_worth_it", "slower"]
                .iter()
                .any(|worth| candidate["worth"] == *worth)
    })
    .await;
}

/// As many as one address may send.
async fn load(site: &Site, client: u8) {
    for number in 0..250 {
        let path = format!("/api/recommendations/{}", number % 3 + 1);
        let request = Request::get(path).header("host", "test");
        let request = request.body(Body::empty()).unwrap();
        let reply = site.send_from([10, 0, 0, client], request).await;
        assert_eq!(reply.status, StatusCode::OK);
    }
}

async fn class(site: &Site, label: &str) -> Value {
    let told = site.get("/keep/snapshot").await.json();
    let classes = told["classes"].as_array().unwrap();
    let found = classes.iter().find(|class| class["class"] == label);
    found.cloned().unwrap_or_default()
}

#[tokio::test]
async fn watching_is_neither_counted_nor_limited_nor_cached() {
    let site = Site::new();
    site.get("/api/candidates/1").await;
    for _ in 0..600 {
        let told = site.get("/keep/snapshot").await;
        assert_eq!(told.json()["requests"], 1);
        assert_eq!(told.header("cache-control"), "no-store");
        assert_eq!(told.header("cache-status"), "");
    }
    for path in ["/keep", "/keep/"] {
        let page = site.get(path).await;
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(
            page.header("content-security-policy")
                .starts_with("default-src 'none'")
        );
    }
    for path in ["/metrics", "/keep/metrics"] {
        let metrics = site.get(path).await;
        assert!(
            metrics
                .header("content-type")
                .starts_with("text/plain; version=0.0.4")
        );
        let text = String::from_utf8(metrics.body.to_vec()).unwrap();
        assert!(text.contains("class=\"/api/candidates/{id}\",kind=\"http\",outcome=\"miss\"} 1"));
    }
    assert_eq!(
        site.get("/keep/nothing").await.status,
        StatusCode::NOT_FOUND
    );
}

/// Limits stand inside of it, so that refusals are seen.
#[tokio::test]
async fn what_is_refused_is_counted_too() {
    let site = Site::new();
    for _ in 0..101 {
        let request = Request::get("/api/recruiters").header("x-merchant-id", "m-1");
        site.send(request.body(Body::empty()).unwrap()).await;
    }
    let outcomes = &class(&site, "/api/recruiters").await["since_start"]["outcomes"];
    assert_eq!(outcomes["rejected"], 1);
}
