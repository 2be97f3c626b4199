//! Strict consistency: an invalidation that stands is in force for every request that begins afterwards.

mod common;

use std::{convert::Infallible, sync::Arc, time::Duration};

use tower_keep_cache::{Class, Consistency, ObjectCache, Tag};
use tower_keep_store::{Mode, Outcome, Store};
use tower_keep_test_support::{Origin, RedisServer, ScriptedBody, TcpProxy, eventually};

use self::common::{LONG, Place, ask, counting, get, request, service};

type Site = tower_keep_cache::Cache<Origin<ScriptedBody>>;

const HOUR: &[(&str, &str)] = &[("cache-control", "max-age=3600"), ("cache-tag", "a")];

async fn connect(url: &str, deadline: Duration) -> Store {
    let store = Store::builder().deadline(deadline).connect(url);
    let store = store.expect("a good URL");
    eventually(LONG, async || store.log().is_current()).await;
    store
}

fn numbers(store: &Store, consistency: Consistency) -> ObjectCache<usize> {
    let class = Class::fresh_for(Duration::from_secs(3600));
    let cache = ObjectCache::of_class(store.clone(), "numbers", class);
    cache.expect("a good class").consistency(consistency)
}

async fn load(cache: &ObjectCache<usize>, value: usize) -> usize {
    let loaded = cache
        .get_or_load("k", &[Tag::of("n", 1)], || async {
            Ok::<_, Infallible>(value)
        })
        .await;
    *loaded.expect("never fails")
}

/// How many of twenty reads on a process whose network is slow gave what another process had changed
/// before.
async fn stale_reads(consistency: Consistency) -> usize {
    let server = RedisServer::start();
    let proxy = TcpProxy::builder(server.address()).latency(Duration::from_millis(5));
    let proxy = proxy.start().await;
    let writer = numbers(&connect(&server.url(), LONG).await, consistency);
    let url = format!("redis://{}", proxy.address());
    let reader = numbers(&connect(&url, LONG).await, consistency);
    let mut stale = 0;
    for version in 1..=20 {
        writer.invalidate("k", Mode::Hard).await.expect("written");
        stale += usize::from(load(&reader, version).await != version);
    }
    stale
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_read_never_misses_what_was_invalidated_before_it() {
    assert_eq!(stale_reads(Consistency::Strict).await, 0);
    assert_ne!(stale_reads(Consistency::Eventual).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_held_up_sends_strict_requests_to_the_origin() {
    for (consistency, second) in [(Consistency::Eventual, "1"), (Consistency::Strict, "2")] {
        let server = RedisServer::start();
        let proxy = TcpProxy::start(server.address()).await;
        let url = format!("redis://{}", proxy.address());
        let writer = connect(&server.url(), LONG).await;
        let deadline = Duration::from_secs(1);
        let store = connect(&url, deadline).await;
        let origin = counting(HOUR);
        let layer = tower_keep_cache::CacheLayer::builder(store.clone())
            .consistency(consistency)
            .build()
            .expect("good options");
        let site: Site = service(&layer, &origin);
        let objects = numbers(&store, consistency);
        assert_eq!(ask(&site, get("/")).await.text(), "1");
        assert_eq!(ask(&site, get("/")).await.text(), "1");
        assert_eq!(load(&objects, 1).await, 1);
        proxy.hang().await;
        let everything = tower_keep_store::Target::EVERYTHING;
        let appended = writer.log().append(&[everything], Mode::Hard, LONG).await;
        appended.expect("written");
        assert_eq!(ask(&site, get("/")).await.text(), second);
        assert_eq!(load(&objects, 2).await.to_string(), second);
        let if_cached = request("GET", "/", &[("cache-control", "only-if-cached")]);
        let status = ask(&site, if_cached).await.status;
        assert_eq!(status == 200, consistency == Consistency::Eventual);
        proxy.resume().await;
        eventually(LONG, async || store.log().catch_up(LONG).await.is_ok()).await;
        // As good as ever.
        let fresh = ask(&site, get("/")).await;
        assert_ne!(fresh.text(), "1");
        eventually(LONG, async || {
            ask(&site, get("/")).await.outcome == Some(Outcome::Hit)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_request_costs_one_read_of_the_log_and_shares_all_else() {
    let place = Place::redis().await;
    let server = place.server.as_ref().expect("a server");
    let origin = counting(&[("cache-control", "max-age=3600"), ("vary", "accept")]);
    let layer = place.layer().consistency(Consistency::Strict).build();
    let layer = layer.expect("good options");
    let site: Site = service(&layer, &origin);
    assert_eq!(ask(&site, get("/")).await.outcome, Some(Outcome::Miss));
    place.written(2).await;
    server.reset_stats();
    let hit = ask(&site, get("/")).await;
    assert_eq!(hit.outcome, Some(Outcome::Hit));
    let part = ask(&site, request("GET", "/", &[("range", "bytes=0-0")])).await;
    assert_eq!(part.status, 206);
    let stats = server.command_stats();
    assert_eq!(stats.get("xrevrange"), Some(&2));
    assert_eq!(stats.get("get"), None);
    // Second level: both in one round trip.
    let store = place.other_process().await;
    let layer = tower_keep_cache::CacheLayer::builder(store)
        .consistency(Consistency::Strict)
        .build()
        .expect("good options");
    let other: Site = service(&layer, &origin);
    server.reset_stats();
    let hit = ask(&other, get("/")).await;
    assert_eq!(hit.outcome, Some(Outcome::Hit));
    let stats = server.command_stats();
    assert_eq!(stats.get("get"), Some(&2), "the list of variants, and one");
    assert_eq!(origin.calls(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn strict_requests_for_one_key_share_one_fetch() {
    for place in Place::both().await {
        let origin = counting(HOUR);
        let layer = place.layer().consistency(Consistency::Strict).build();
        let site: Site = service(&layer.expect("good options"), &origin);
        let site = Arc::new(site);
        let asking: Vec<_> = (0..50)
            .map(|_| {
                let site = site.clone();
                tokio::spawn(async move { ask(&site, get("/")).await.text().to_owned() })
            })
            .collect();
        for one in asking {
            assert_eq!(one.await.expect("no panic"), "1");
        }
    }
}
