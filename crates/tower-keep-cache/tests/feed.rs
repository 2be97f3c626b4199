//! What `CacheHandle::invalidations` tells, on both stores.

mod common;

use tower_keep_cache::{CacheLayer, Dependency, Tag};
use tower_keep_store::{Invalidation, Invalidations, Mode};

use self::common::*;

async fn next(invalidations: &mut Invalidations) -> Invalidation {
    let next = tokio::time::timeout(LONG, invalidations.next()).await;
    next.expect("in time").expect("the log is there")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_is_told_what_any_of_them_invalidates() {
    for place in Place::both().await {
        let here = CacheLayer::new(place.store.clone()).handle();
        let there = CacheLayer::new(place.other_process().await).handle();
        let mut listening = [here.invalidations(), there.invalidations()];
        for (tag, mode) in [("a", Mode::Hard), ("b", Mode::Soft)] {
            here.invalidate([Tag::new(tag)], mode)
                .await
                .expect("the store is there");
        }
        there
            .invalidate_everything(Mode::Soft)
            .await
            .expect("the store is there");
        for invalidations in &mut listening {
            let [a, b] = ["a", "b"].map(|name| here.target(Tag::new(name)));
            let first = next(invalidations).await;
            assert_eq!(first.mode_of(a), Some(Mode::Hard));
            assert_eq!(first.mode_of(b), None);
            let second = next(invalidations).await;
            assert_eq!(second.mode_of(b), Some(Mode::Soft));
            assert!(second.position().position > first.position().position);
            let third = next(invalidations).await;
            assert_eq!(third.mode_of(a), Some(Mode::Soft), "everything");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_lost_is_told_as_everything() {
    let place = Place::redis().await;
    let handle = CacheLayer::new(place.store.clone()).handle();
    let mut invalidations = handle.invalidations();
    let server = place.server.as_ref().expect("on Redis");
    server.command(&["FLUSHALL"]);
    let told = next(&mut invalidations).await;
    assert!(told.is_missed());
    let any = handle.target(Dependency::class("any"));
    assert_eq!(told.mode_of(any), Some(Mode::Hard));
}
