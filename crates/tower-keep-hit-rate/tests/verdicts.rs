//! What is said of classes whose truth is known.

mod common;

use std::time::Duration;

use futures_util::FutureExt;
use http_body_util::BodyExt;
use tower::{Layer, Service};
use tower_keep_hit_rate::{HitRate, HitRateHandle, Verdict, Worth};
use tower_keep_store::{Clock, Outcome, Told};
use tower_keep_test_support::{Random, seed};

use crate::common::{MICRO, MILLI, Scripted, by_segment, place, scripted};

/// A service, its clock, and chance.
struct Play {
    service: HitRate<Scripted>,
    clock: Clock,
    handle: HitRateHandle,
    random: Random,
}

impl Play {
    fn new(random: Random) -> Self {
        let (store, clock) = place();
        let (layer, handle) = by_segment(store).build().expect("makes sense");
        Self {
            service: layer.layer(Scripted(clock.clone())),
            clock,
            handle,
            random,
        }
    }

    fn ask(&mut self, uri: &str, outcome: Outcome, time: Duration) {
        self.ask_told(uri, outcome.into(), time);
    }

    fn ask_told(&mut self, uri: &str, told: Told, time: Duration) {
        let response = self.service.call(scripted(uri, told, time));
        let response = response
            .now_or_never()
            .expect("at once")
            .expect("an answer");
        let body = response.into_body().collect().now_or_never();
        body.expect("at once").expect("a whole body");
    }

    /// Hits so often in a thousand times.
    fn ask_at_rate(&mut self, uri: &str, per_mille: u64) {
        let outcome = match self.random.below(1000) < per_mille {
            true => Outcome::Hit,
            false => Outcome::Miss,
        };
        self.ask(uri, outcome, Duration::ZERO);
    }

    fn verdict(&self, class: &str) -> Verdict {
        self.handle.snapshot().class(class).expect("seen").verdict
    }

    fn worth(&self, class: &str) -> Worth {
        self.handle.snapshot().class(class).expect("seen").worth
    }
}

/// Ten minutes of four classes. All miss in the first half minute: the cache is empty.
#[test]
fn four_classes_are_judged_right_in_99_of_100_runs() {
    let mut random = Random::new(seed());
    let mut right = 0;
    for _ in 0..100 {
        let mut play = Play::new(Random::new(random.any()));
        for second in 0..600 {
            let warm = u64::from(second >= 30);
            for _ in 0..3 {
                play.ask_at_rate("/poor/", 700 * warm);
                play.ask_at_rate("/fair/", 850 * warm);
                play.ask_at_rate("/fine/", 970 * warm);
            }
            if second % 5 == 0 {
                play.ask_at_rate("/rare/", 500);
            }
            play.clock.advance(Duration::from_secs(1));
        }
        let verdicts = ["poor", "fair", "fine", "rare"].map(|class| play.verdict(class));
        let expected = [
            Verdict::Tune,
            Verdict::Good,
            Verdict::Excellent,
            Verdict::NoData,
        ];
        right += u32::from(verdicts == expected);
    }
    println!("{right} of 100 runs judged right");
    assert!(right >= 99, "{right} of 100");
}

#[test]
fn a_verdict_follows_when_the_class_changes() {
    let mut play = Play::new(Random::new(seed()));
    for (per_mille, verdict) in [
        (970, Verdict::Excellent),
        (500, Verdict::Tune),
        (970, Verdict::Excellent),
    ] {
        for _ in 0..600 {
            (0..3).for_each(|_| play.ask_at_rate("/a/", per_mille));
            play.clock.advance(Duration::from_secs(1));
        }
        assert_eq!(play.verdict("a"), verdict);
    }
}

#[test]
fn a_clock_that_steps_back_changes_no_sum() {
    let mut play = Play::new(Random::new(seed()));
    for step in [60, u64::MAX / 1_000_000 - 30, 3600, 0, 10] {
        play.clock.advance(Duration::from_secs(step));
        (0..100).for_each(|_| play.ask("/a/", Outcome::Hit, MICRO));
        let snapshot = play.handle.snapshot();
        let class = snapshot.class("a").expect("seen");
        assert_eq!(class.since_start.outcomes.sum(), snapshot.requests);
        assert!(class.minute.outcomes.sum() <= snapshot.requests);
    }
}

/// Keys differ in what the origin takes for them, and the dear ones are asked for less.
#[test]
fn the_ledger_is_within_a_twentieth_of_the_truth() {
    let mut play = Play::new(Random::new(seed()));
    let look = 50 * MICRO;
    let mut fetched = [false; 200];
    let (mut avoided, mut cost) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..20_000 {
        let key = play.random.index(200).min(play.random.index(200));
        let origin = MILLI * u32::try_from(1 + key * key / 50).expect("small");
        let is_hit = fetched[key] && !play.random.one_in(20);
        let (outcome, time) = match is_hit {
            true => (Outcome::Hit, look),
            false => (Outcome::Miss, look + origin),
        };
        fetched[key] = true;
        let told = Told::from(outcome).origin_time(origin);
        play.ask_told(&format!("/a/{key}"), told, time);
        cost += look;
        if is_hit {
            avoided += origin;
        }
        play.clock.advance(10 * MILLI);
    }
    let truth = (avoided.as_secs_f64() - cost.as_secs_f64()) * 1e3;
    let snapshot = play.handle.snapshot();
    let ledger = snapshot.class("a").expect("seen").since_start.ledger;
    println!("saved {} ms, in truth {truth} ms", ledger.saved_ms);
    assert!((ledger.saved_ms - truth).abs() <= 0.05 * truth);
    assert_eq!(ledger.unpriced_hits, 0);
}

#[test]
fn what_is_worth_caching_is_told_from_what_is_not() {
    let mut play = Play::new(Random::new(seed()));
    for second in 0..1800 {
        let (outcome, asks_origin) = match play.random.one_in(10) {
            true => (Outcome::Miss, 1),
            false => (Outcome::Hit, 0),
        };
        // 5 ms, ten times a minute: the mission's example.
        if second % 6 == 0 {
            play.ask("/rare/", outcome, 50 * MICRO + 5 * MILLI * asks_origin);
            play.ask("/uncached-rare/", Outcome::Bypass, 5 * MILLI);
        }
        for _ in 0..5 {
            play.ask("/busy/", outcome, 50 * MICRO + 5 * MILLI * asks_origin);
            // A primary key, read in the process, behind a cache over the network.
            play.ask(
                "/primary-key/",
                outcome,
                150 * MICRO + 20 * MICRO * asks_origin,
            );
            play.ask("/uncached/", Outcome::Bypass, 5 * MILLI);
        }
        play.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(play.worth("rare"), Worth::NotWorthIt);
    assert_eq!(play.worth("uncached-rare"), Worth::NotWorthIt);
    assert_eq!(play.worth("busy"), Worth::WorthIt);
    assert_eq!(play.worth("primary-key"), Worth::Slower);
    assert_eq!(play.worth("uncached"), Worth::Untried);
}

/// A page a second, asked for ten times a second, over a service without a cache.
#[test]
fn the_ladder_needs_no_cache() {
    let mut play = Play::new(Random::new(seed()));
    for request in 0..20_000 {
        let mut untold = common::get("/a/page");
        if request % 2 == 0 {
            // Neither counts: what changes something, and what a cache has passed by.
            *untold.method_mut() = http::Method::POST;
            play.ask("/a/page", Outcome::Bypass, Duration::ZERO);
        }
        drop(play.service.call(untold).now_or_never());
        play.clock.advance(50 * MILLI);
    }
    let snapshot = play.handle.snapshot();
    let ladder = &snapshot.class("a").expect("seen").ladder;
    let told: Vec<_> = ladder.iter().map(|rung| rung.lifetime_seconds).collect();
    assert_eq!(told, [1, 5, 15, 60, 300, 900, 3600, 21_600, 86_400]);
    // One of ten is a fetch; the others are half a second old in the mean.
    assert!((ladder[0].hit_rate - 0.9).abs() < 0.01, "{ladder:?}");
    assert!(
        (ladder[0].mean_age_seconds - 0.5).abs() < 0.01,
        "{ladder:?}"
    );
    assert!(ladder[8].hit_rate > 0.999);
}
