//! What `CacheHandle::inspect` says, on both stores.

mod common;

use std::time::Duration;

use http::Uri;
use tower_keep_cache::{CacheLayer, InspectedState, Inspection, Tag};
use tower_keep_store::{Mode, Store, Verdict};
use tower_keep_test_support::{RedisServer, eventually};

use self::common::*;

const FIELDS: &[(&str, &str)] = &[
    ("cache-control", "max-age=60, stale-while-revalidate=30"),
    ("cache-groups", r#""g""#),
];

async fn inspect(layer: &CacheLayer) -> Vec<Inspection> {
    let uri = Uri::from_static("/a?b=c");
    let found = layer.handle().inspect("EXAMPLE.com", &uri).await;
    found.expect("the store is there")
}

fn states(found: &[Inspection]) -> Vec<InspectedState> {
    found.iter().map(|it| it.state).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_levels_are_looked_into_and_nothing_is_touched() {
    for place in Place::both().await {
        let layer = CacheLayer::new(place.store.clone());
        let cache = service(&layer, &counting(FIELDS));
        assert!(inspect(&layer).await.is_empty());
        ask(&cache, get("/a?b=c")).await;
        place.written(1).await;
        let levels: &[bool] = match place.server {
            Some(_) => &[true, false],
            None => &[true],
        };
        place.clock.advance(Duration::from_secs(10));
        let found = inspect(&layer).await;
        assert!(
            found
                .iter()
                .map(|it| it.first_level)
                .eq(levels.iter().copied())
        );
        for it in &found {
            assert_eq!((it.status.as_u16(), it.body), (200, 1));
            assert_eq!(it.age, Duration::from_secs(10));
            assert_eq!(it.fresh_for, Duration::from_secs(50));
            assert_eq!(it.stale_while_revalidate, Duration::from_secs(80));
            assert_eq!(it.state, InspectedState::Fresh);
            assert_eq!(it.targets.len(), 2, "its group and its URI");
        }
        place.clock.advance(Duration::from_secs(51));
        let found = inspect(&layer).await;
        assert_eq!(states(&found), vec![InspectedState::Stale; levels.len()]);
        place.clock.advance(Duration::from_secs(60));
        let found = inspect(&layer).await;
        assert!(
            states(&found)
                .iter()
                .all(|state| *state == InspectedState::Expired)
        );
        assert_eq!(
            inspect(&layer).await.len(),
            found.len(),
            "looking takes nothing out"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_why_an_entry_would_not_be_used() {
    for place in Place::both().await {
        let layer = CacheLayer::new(place.store.clone());
        let cache = service(&layer, &counting(FIELDS));
        ask(&cache, get("/a?b=c")).await;
        let handle = layer.handle();
        let uri = Uri::from_static("http://example.com/a?b=c");
        handle.purge("", &uri).await.expect("there");
        let found = inspect(&layer).await;
        assert_eq!(found[0].state, InspectedState::Invalidated);
        let hit = found[0]
            .targets
            .iter()
            .filter(|it| it.1 == Verdict::Invalid);
        let own = handle.target(tower_keep_cache::Dependency::uri("", uri));
        assert!(hit.map(|it| it.0).eq([own]));
        handle
            .invalidate_everything(Mode::Hard)
            .await
            .expect("there");
        assert_eq!(inspect(&layer).await[0].state, InspectedState::Unverified);
        // Still there to be seen by whoever asks the origin next.
        handle
            .invalidate([Tag::new("x")], Mode::Hard)
            .await
            .expect("there");
        assert_eq!(ask(&cache, get("/a?b=c")).await.text(), "2");
        assert_eq!(inspect(&layer).await[0].state, InspectedState::Fresh);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_are_told_side_by_side() {
    let place = Place::memory();
    let layer = CacheLayer::new(place.store.clone());
    let fields = &[("cache-control", "max-age=60"), ("vary", "accept-language")];
    let cache = service(&layer, &counting(fields));
    for language in ["de", "en"] {
        let fields = [("accept-language", language)];
        ask(&cache, request("GET", "/a?b=c", &fields)).await;
    }
    let found = inspect(&layer).await;
    assert_eq!(found.len(), 2);
    assert_ne!(found[0].variant, found[1].variant);
    assert_eq!(found[0].varies_by, ["accept-language"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_answer_is_an_error_and_no_empty_list() {
    let mut server = RedisServer::start();
    let store = Store::builder().deadline(Duration::from_millis(50));
    let store = store.connect(&server.url()).expect("a good URL");
    eventually(LONG, async || store.log().is_current()).await;
    let handle = CacheLayer::new(store).handle();
    server.pause();
    let uri = Uri::from_static("/");
    assert!(handle.inspect("example.com", &uri).await.is_err());
    server.resume();
}
