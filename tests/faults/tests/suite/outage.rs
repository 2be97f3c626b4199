//! Redis dies and hangs in the middle of load.

use std::time::Duration;

use tower_keep::Store;
use tower_keep_faults::{
    Hiring, Load, RECOVERY, Random, SLACK, STALENESS_BOUND, Site, caching_returns, restart, resume,
};
use tower_keep_test_support::{RedisServer, seed};

use crate::{process, say};

/// Long enough that whoever waited for Redis would be over every bound.
const OUTAGE: Duration = Duration::from_millis(2500);

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_redis_costs_no_request_more_than_a_deadline_and_is_used_again_within_two_seconds()
{
    let seed = seed();
    let mut redis = RedisServer::start();
    let hiring = Hiring::new();
    let site = Site::on(&hiring, &redis.url()).await;
    let ledger = Load::ledger(&hiring);
    let uncached = Load::uncached(site.address(), &ledger, seed).await;
    let load = Load::start(site.address(), &ledger, seed).await;
    load.goes_on(400).await;
    redis.kill();
    load.goes_on_for(OUTAGE).await;
    restart(&mut redis);
    let took = caching_returns(&mut site.client().await, &redis, RECOVERY).await;
    load.goes_on(400).await;
    let timings = load.finish().await;
    say("uncached", &uncached);
    say(&format!("killed; back after {took:?}"), &timings);
    timings.assert_bounded_by(&uncached);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_redis_costs_no_request_more_than_a_deadline_and_is_used_again_within_two_seconds()
{
    let seed = seed();
    let mut redis = RedisServer::start();
    let hiring = Hiring::new();
    let site = Site::on(&hiring, &redis.url()).await;
    let ledger = Load::ledger(&hiring);
    let uncached = Load::uncached(site.address(), &ledger, seed).await;
    let load = Load::start(site.address(), &ledger, seed).await;
    load.goes_on(400).await;
    redis.pause();
    load.goes_on_for(OUTAGE).await;
    resume(&mut redis);
    let took = caching_returns(&mut site.client().await, &redis, RECOVERY).await;
    load.goes_on(400).await;
    let timings = load.finish().await;
    say(&format!("paused; back after {took:?}"), &timings);
    timings.assert_bounded_by(&uncached);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_longer_than_the_staleness_bound_is_survived_without_any_cache() {
    let seed = seed();
    let mut redis = RedisServer::start();
    let hiring = Hiring::new();
    let bound = Duration::from_millis(500);
    let store = Store::builder().staleness_bound(bound);
    let site = Site::start(&hiring, store.connect(&redis.url()).expect("a good URL")).await;
    let ledger = Load::ledger(&hiring);
    let uncached = Load::uncached(site.address(), &ledger, seed).await;
    let load = Load::start(site.address(), &ledger, seed).await;
    load.goes_on(200).await;
    for is_paused in [true, false] {
        if is_paused {
            redis.pause();
        } else {
            redis.kill();
        }
        load.goes_on_for(OUTAGE).await;
        if is_paused {
            resume(&mut redis);
        } else {
            restart(&mut redis);
        }
        let took = caching_returns(&mut site.client().await, &redis, RECOVERY).await;
        say("back after", format!("{took:?}"));
        load.goes_on(200).await;
    }
    let timings = load.finish().await;
    say("no cache at all in between", &timings);
    timings.assert_bounded_by(&uncached);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_on_one_redis_survive_its_pause_and_its_death() {
    let seed = seed();
    let mut redis = RedisServer::start();
    let hiring = Hiring::new();
    let [a, b] = [0; 2].map(|_| process(&hiring, &redis.url()));
    let ledger = Load::ledger(&hiring);
    let uncached = Load::uncached(a.address(), &ledger, seed).await;
    let writers = Load::start(a.address(), &ledger, seed).await;
    let grace = STALENESS_BOUND + SLACK;
    let readers = Load::readers(b.address(), &ledger, seed, grace).await;
    let mut clients = [a.client().await, b.client().await];
    writers.goes_on(200).await;
    redis.pause();
    writers.goes_on_for(OUTAGE).await;
    resume(&mut redis);
    for client in &mut clients {
        caching_returns(client, &redis, RECOVERY).await;
    }
    writers.goes_on(100).await;
    redis.kill();
    writers.goes_on_for(OUTAGE).await;
    restart(&mut redis);
    for client in &mut clients {
        caching_returns(client, &redis, RECOVERY).await;
    }
    readers.goes_on(100).await;
    for (name, load) in [("writers", writers), ("readers", readers)] {
        let timings = load.finish().await;
        say(name, &timings);
        assert!(timings.hits() * 2 > timings.answers(), "{timings}");
        timings.assert_bounded_by(&uncached);
    }
    for said in [a.said(), b.said()] {
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outages_at_random_never_make_an_answer_wrong_or_late() {
    let seed = seed();
    let mut random = Random::new(seed);
    let mut redis = RedisServer::start();
    let hiring = Hiring::new();
    let bound = Duration::from_millis(500);
    let store = || {
        let store = Store::builder().staleness_bound(bound);
        store.connect(&redis.url()).expect("a good URL")
    };
    let [a, b] = [
        Site::start(&hiring, store()).await,
        Site::start(&hiring, store()).await,
    ];
    let ledger = Load::ledger(&hiring);
    let uncached = Load::uncached(a.address(), &ledger, seed).await;
    let writers = Load::start(a.address(), &ledger, seed).await;
    let readers = Load::readers(b.address(), &ledger, seed, bound + SLACK).await;
    for _ in 0..6 {
        let outage = Duration::from_millis(50 + random.below(800));
        match random.below(3) {
            0 => {
                redis.kill();
                writers.goes_on_for(outage).await;
                restart(&mut redis);
            }
            1 => {
                redis.pause();
                writers.goes_on_for(outage).await;
                resume(&mut redis);
            }
            _ => restart(&mut redis),
        }
        let calm = Duration::from_millis(random.below(300));
        writers.goes_on_for(calm).await;
    }
    for site in [&a, &b] {
        caching_returns(&mut site.client().await, &redis, RECOVERY).await;
    }
    for (name, load) in [("writers", writers), ("readers", readers)] {
        let timings = load.finish().await;
        say(name, &timings);
        timings.assert_bounded_by(&uncached);
    }
}
