//! What `CacheHandle::changed` and `CacheHandle::follow` do, on both stores.

mod common;

use std::{
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll},
    time::Duration,
};

use futures_core::Stream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tower_keep_cache::{
    CacheDirective, CacheLayer, Changed, Class, Classes, Dependency, FollowingEnd, ObjectCache,
    Rules, Tag,
};
use tower_keep_store::{InvalidationLog, Store, Target, Verdict};
use tower_keep_test_support::{Origin, RedisServer, ScriptedBody, eventually};

use self::common::*;

/// A feed, as an application may have one.
struct Feed(UnboundedReceiver<Changed>);

impl Stream for Feed {
    type Item = Changed;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Changed>> {
        self.0.poll_recv(cx)
    }
}

fn rules() -> Rules {
    Rules::new()
        .on("candidate", |it| [Tag::of("candidate", it.id())])
        .on("candidate", |it| {
            it.values("job")
                .map(|job| Tag::of("job", job))
                .collect::<Vec<_>>()
        })
        .on_soft("candidate", |_| [Dependency::class("statistics")])
        .on_all("candidate", [Tag::new("candidates")])
        .ignore("audit")
}

/// An origin that answers with its call's number, kept for long and as stale for longer.
fn tagged(tags: impl Fn() -> Vec<Tag> + Send + Sync + 'static) -> Origin<ScriptedBody> {
    let calls = AtomicUsize::new(0);
    let fields = [("cache-control", "max-age=600, stale-while-revalidate=600")];
    Origin::new(move |_| {
        let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
        let mut response = response(&fields, ScriptedBody::full(call.to_string()));
        let directive = CacheDirective::new().tags(tags());
        response.extensions_mut().insert(directive);
        async move { Ok(response) }
    })
}

/// Whether what was fetched at the start and carries this is still good.
fn verdict(log: &InvalidationLog, since: tower_keep_store::Stamp, tag: Tag) -> Verdict {
    log.verdict(since, &[Target::from(tag)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_retires_in_every_process_what_the_rules_say() {
    for place in Place::both().await {
        let layer = place.layer().build().expect("a layer");
        let handle = layer.handle().with_rules(rules()).expect("good rules");
        let elsewhere = CacheLayer::new(place.other_process().await);
        let origin = tagged(|| vec![Tag::of("candidate", 7), Tag::of("job", 3)]);
        let [here, there] = [service(&layer, &origin), service(&elsewhere, &origin)];
        for change in [
            Changed::new("candidate", 7),
            Changed::new("candidate", 8).value("job", 2).value("job", 3),
        ] {
            let before = ask(&here, get("/")).await;
            assert_eq!(ask(&here, get("/")).await.text(), before.text());
            ask(&there, get("/")).await;
            handle.changed(change).await.expect("the store is there");
            let after = ask(&here, get("/")).await;
            assert_ne!(after.text(), before.text(), "at once in this process");
            eventually(LONG, async || {
                ask(&there, get("/")).await.text() != before.text()
            })
            .await;
        }
        let kept = ask(&here, get("/")).await;
        for change in [Changed::new("candidate", 8), Changed::new("audit", 7)] {
            handle.changed(change).await.expect("the store is there");
            assert_eq!(
                ask(&here, get("/")).await.text(),
                kept.text(),
                "not concerned"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn soft_rules_leave_it_to_answer_as_stale() {
    let hour = Duration::from_secs(3600);
    for place in Place::both().await {
        let class = Class::fresh_for(hour).stale_while_revalidate(hour);
        let classes = Classes::new().class("statistics", class);
        let layer = place.layer().classes(classes).class("statistics");
        let layer = layer.build().expect("a layer");
        let handle = layer.handle().with_rules(rules()).expect("good rules");
        let cache = service(&layer, &counting(&[]));
        ask(&cache, get("/")).await;
        handle
            .changed(Changed::new("candidate", 1))
            .await
            .expect("the store is there");
        assert_eq!(
            ask(&cache, get("/")).await.text(),
            "1",
            "stale, and refreshed"
        );
        eventually(LONG, async || ask(&cache, get("/")).await.text() == "2").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_kind_is_counted_and_what_was_missed_is_everything() {
    let place = Place::memory();
    let layer = place.layer().build().expect("a layer");
    let handle = layer.handle().with_rules(rules()).expect("good rules");
    let log = place.store.log();
    let since = log.stamp();
    handle
        .changed(Changed::new("merchant", 1))
        .await
        .expect("embedded");
    assert_eq!(handle.stats().unknown_events, 1);
    assert_eq!(log.stamp(), since, "nothing was written for it");
    handle
        .changed(Changed::all("candidate"))
        .await
        .expect("embedded");
    assert_eq!(
        verdict(log, since, Tag::new("candidates")),
        Verdict::Invalid
    );
    assert_eq!(verdict(log, since, Tag::new("merchants")), Verdict::Valid);
    handle.changed(Changed::missed()).await.expect("embedded");
    assert_eq!(verdict(log, since, Tag::new("merchants")), Verdict::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_panics_has_named_everything() {
    let place = Place::memory();
    let broken = |_: &Changed| -> [Tag; 1] { panic!("a fault of the application") };
    let rules = Rules::new().on("candidate", broken);
    let layer = place.layer().build().expect("a layer");
    let handle = layer.handle().with_rules(rules).expect("good rules");
    let since = place.store.log().stamp();
    let (events, feed) = unbounded_channel();
    let _following = handle.follow(Feed(feed));
    events.send(Changed::new("candidate", 1)).expect("followed");
    let everything_is_gone =
        async || verdict(place.store.log(), since, Tag::new("any")) == Verdict::Invalid;
    eventually(LONG, everything_is_gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_an_object_cache_can_be_named_by_a_rule() {
    for place in Place::both().await {
        let minute = Class::fresh_for(Duration::from_secs(60));
        let classes = Classes::new().class("score", minute);
        let layer = place.layer().classes(classes).build().expect("a layer");
        let rules = Rules::new().on("candidate", |it| {
            [Dependency::object("score", ("candidate", it.id()))]
        });
        let handle = layer.handle().with_rules(rules).expect("good rules");
        let scores: ObjectCache<u32> = handle.objects("score").expect("a class");
        let load = async |id: u32, score| {
            let load = || async move { Ok::<_, std::convert::Infallible>(score) };
            *scores
                .get_or_load(("candidate", id), &[], load)
                .await
                .expect("loads")
        };
        assert_eq!((load(1, 10).await, load(2, 20).await), (10, 20));
        handle
            .changed(Changed::new("candidate", 1))
            .await
            .expect("the store is there");
        assert_eq!((load(1, 11).await, load(2, 21).await), (11, 20));
    }
}

#[tokio::test]
async fn changes_that_come_together_are_one_record() {
    for place in Place::both().await {
        let layer = place.layer().build().expect("a layer");
        let handle = layer.handle().with_rules(rules()).expect("good rules");
        let log = place.store.log();
        let before = log.stamp();
        let (events, feed) = unbounded_channel();
        for id in 0..1000 {
            events.send(Changed::new("candidate", id)).expect("open");
        }
        drop(events);
        assert_eq!(handle.follow(Feed(feed)).await, FollowingEnd::Stream);
        assert_eq!(log.stamp().position, before.position + 1);
        for id in [0, 999] {
            let tag = Tag::of("candidate", id);
            assert_eq!(verdict(log, before, tag), Verdict::Invalid);
        }
        assert_eq!(
            verdict(log, before, Tag::of("candidate", 1000)),
            Verdict::Valid
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn following_does_not_keep_the_cache_alive() {
    let place = Place::memory();
    let layer = place.layer().build().expect("a layer");
    let handle = layer.handle();
    let (_events, feed) = unbounded_channel();
    let following = handle.follow(Feed(feed));
    assert!(!following.is_over());
    drop(handle);
    assert!(!following.is_over(), "the layer is there");
    drop(layer);
    assert_eq!(following.await, FollowingEnd::Cache);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_followed_during_an_outage_reach_the_others_after_it() {
    let mut server = RedisServer::start();
    let connect = || {
        let builder = Store::builder().deadline(Duration::from_millis(50));
        builder.connect(&server.url()).expect("a good URL")
    };
    let [here, there] = [connect(), connect()];
    for store in [&here, &there] {
        eventually(LONG, async || store.log().is_current()).await;
    }
    let handle = CacheLayer::new(here.clone()).handle();
    let handle = handle.with_rules(rules()).expect("good rules");
    let (events, feed) = unbounded_channel();
    let _following = handle.follow(Feed(feed));
    let [since_here, since_there] = [here.log().stamp(), there.log().stamp()];
    server.kill();
    let tag = Tag::of("candidate", 7);
    events.send(Changed::new("candidate", 7)).expect("followed");
    let in_force_here = async || verdict(here.log(), since_here, tag) == Verdict::Invalid;
    eventually(LONG, in_force_here).await;
    server.restart();
    let in_force_there = async || verdict(there.log(), since_there, tag) == Verdict::Invalid;
    eventually(LONG, in_force_there).await;
}
