//! An invalidation storm: bounded, counted, correct.

mod common;

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Instant,
};

use futures_core::Stream;
use tower_keep_cache::{CacheHandle, CacheLayer, Changed, FollowingEnd, Rules, Tag};
use tower_keep_store::{InvalidationLog, Mode, Stamp, Store, Target, Verdict};
use tower_keep_test_support::eventually;

use self::common::*;

const STORM: usize = 20_000;

/// Two processes on one server, and where each of them stands.
struct Processes {
    place: Place,
    other: Store,
    handle: CacheHandle,
    since: [Stamp; 2],
}

impl Processes {
    async fn start() -> Self {
        let place = Place::redis().await;
        let other = place.other_process().await;
        let rules = Rules::new().on("row", |it| [Tag::of("row", it.id())]);
        let handle = CacheLayer::new(place.store.clone()).handle();
        let since = [place.store.log().stamp(), other.log().stamp()];
        Self {
            handle: handle.with_rules(rules).expect("good rules"),
            place,
            other,
            since,
        }
    }

    fn logs(&self) -> [&InvalidationLog; 2] {
        [self.place.store.log(), self.other.log()]
    }

    /// All that was invalidated is refused in both processes.
    async fn check(&self) {
        let is_known = async || {
            let [here, there] = self.logs().map(InvalidationLog::stamp);
            here == there
        };
        eventually(LONG, is_known).await;
        for (log, since) in self.logs().into_iter().zip(self.since) {
            for id in 0..STORM {
                let tag = Target::from(Tag::of("row", id));
                assert_eq!(log.verdict(since, &[tag]), Verdict::Invalid, "row {id}");
            }
        }
    }

    #[expect(clippy::print_stderr, reason = "a figure, with --no-capture")]
    fn report(&self, what: &str, began: Instant) -> u64 {
        let seconds = began.elapsed().as_secs_f64();
        let stats = self.handle.stats();
        let records = stats.invalidation_records;
        let rate = STORM as f64 / seconds;
        eprintln!("{what}: {STORM} invalidations, {records} records, {rate:.0} a second");
        records
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_invalidate_at_the_same_time_share_records() {
    let processes = Processes::start().await;
    let began = Instant::now();
    let callers = (0..200).map(|caller| {
        let handle = processes.handle.clone();
        tokio::spawn(async move {
            for id in (caller..STORM).step_by(200) {
                let tag = [Tag::of("row", id)];
                handle.invalidate(tag, Mode::Hard).await.expect("there");
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("no panic");
    }
    let records = processes.report("200 callers", began);
    assert!(records < STORM as u64 / 4, "{records}");
    // A record whose writing took too long is written again.
    assert!(processes.handle.stats().invalidated_targets >= STORM as u64);
    processes.check().await;
    assert!(processes.other.log().heard().targets >= STORM as u64);
}

/// A feed in which everything changes at once.
struct Burst(std::ops::Range<usize>);

impl Stream for Burst {
    type Item = Changed;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Changed>> {
        Poll::Ready(self.0.next().map(|id| Changed::new("row", id)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_changes_is_written_in_large_records() {
    let processes = Processes::start().await;
    let began = Instant::now();
    let following = processes.handle.follow(Burst(0..STORM));
    assert_eq!(following.await, FollowingEnd::Stream);
    let records = processes.report("one stream", began);
    // 1024 fit into one; one whose writing took too long is written again.
    assert!(records <= STORM as u64 / 512, "{records}");
    processes.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_waits_in_a_bounded_queue_and_becomes_everything() {
    let mut processes = Processes::start().await;
    let mut redis = processes.place.server.take().expect("on Redis");
    redis.pause();
    for id in 0..STORM {
        let tag = [Tag::of("row", id)];
        let mut call = Box::pin(processes.handle.invalidate(tag, Mode::Hard));
        // Begun, and left.
        let _pending = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    let [here, there] = processes.logs();
    let another = [Target::from(Tag::new("another"))];
    assert_eq!(here.verdict(processes.since[0], &another), Verdict::Invalid);
    redis.resume();
    let has_heard = async || there.verdict(processes.since[1], &another) == Verdict::Invalid;
    eventually(LONG, has_heard).await;
    processes.check().await;
    assert!(
        there.heard().targets < STORM as u64 / 2,
        "{:?}",
        there.heard()
    );
}
