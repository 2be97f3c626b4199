//! A network between application and Redis that cuts, hangs and is slow.

use std::time::Duration;

use tower_keep_faults::{
    Hiring, LONG, Load, RECOVERY, Random, SLACK, STALENESS_BOUND, Site, caching_returns, shares,
};
use tower_keep_test_support::{Direction, RedisServer, TcpProxy, eventually, seed};

use crate::say;

fn url(proxy: &TcpProxy) -> String {
    format!("redis://{}", proxy.address())
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_cut_off_in_their_middle_are_never_taken_for_whole() {
    let seed = seed();
    let mut random = Random::new(seed);
    let redis = RedisServer::start();
    let proxy = TcpProxy::start(redis.address()).await;
    let hiring = Hiring::new();
    let writer = Site::on(&hiring, &redis.url()).await;
    let reader = Site::on(&hiring, &url(&proxy)).await;
    let ledger = Load::ledger(&hiring);
    let uncached = Load::uncached(reader.address(), &ledger, seed).await;
    let writers = Load::start(writer.address(), &ledger, seed).await;
    let readers = Load::readers(reader.address(), &ledger, seed, SLACK).await;
    for _ in 0..40 {
        let direction = match random.below(4) {
            0 => Direction::ToServer,
            _ => Direction::ToClient,
        };
        // Heads of answers, middles of entries.
        proxy.cut_after(direction, 1 + random.below(3000) as usize);
        readers.goes_on(20).await;
    }
    proxy.cut_after(Direction::ToClient, usize::MAX);
    caching_returns(&mut reader.client().await, &redis, RECOVERY).await;
    for (name, load) in [("direct", writers), ("through the cuts", readers)] {
        let timings = load.finish().await;
        say(name, &timings);
        timings.assert_bounded_by(&uncached);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_hangs_or_refuses_costs_a_deadline_and_no_wrong_answer() {
    let seed = seed();
    let redis = RedisServer::start();
    let proxy = TcpProxy::start(redis.address()).await;
    let hiring = Hiring::new();
    let site = Site::on(&hiring, &url(&proxy)).await;
    let ledger = Load::ledger(&hiring);
    let uncached = Load::uncached(site.address(), &ledger, seed).await;
    let load = Load::start(site.address(), &ledger, seed).await;
    load.goes_on(100).await;
    for refuses in [false, true] {
        if refuses {
            proxy.refuse().await;
        } else {
            proxy.hang().await;
        }
        load.goes_on_for(Duration::from_millis(1500)).await;
        proxy.resume().await;
        let took = caching_returns(&mut site.client().await, &redis, RECOVERY).await;
        say("back after", format!("{took:?}"));
        load.goes_on(50).await;
    }
    let timings = load.finish().await;
    say("a network that hangs and refuses", &timings);
    timings.assert_bounded_by(&uncached);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_thirty_milliseconds_away_is_used() {
    let redis = RedisServer::start();
    // Each way.
    let latency = Duration::from_millis(15);
    let proxy = TcpProxy::builder(redis.address())
        .latency(latency)
        .start()
        .await;
    let hiring = Hiring::new();
    let near = Site::on(&hiring, &redis.url()).await;
    let far = Site::on(&hiring, &url(&proxy)).await;
    eventually(LONG, async || far.store().ping().await.is_ok()).await;
    eventually(LONG, async || far.store().log().is_current()).await;
    let (mut near, mut far) = (near.client().await, far.client().await);
    shares(&mut near, &mut far, &redis).await;
    shares(&mut far, &mut near, &redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_further_away_than_the_deadline_costs_time_but_neither_truth_nor_hits() {
    let seed = seed();
    let redis = RedisServer::start();
    // Each way.
    let latency = Duration::from_millis(100);
    let proxy = TcpProxy::builder(redis.address())
        .latency(latency)
        .start()
        .await;
    let hiring = Hiring::new();
    let site = Site::on(&hiring, &url(&proxy)).await;
    let ledger = Load::ledger(&hiring);
    let uncached = Load::uncached(site.address(), &ledger, seed).await;
    let load = Load::start(site.address(), &ledger, seed).await;
    load.goes_on(600).await;
    let timings = load.finish().await;
    say("200 ms away", &timings);
    timings.assert_bounded_by(&uncached);
    // The log is followed, however late: the first level answers.
    eventually(LONG, async || site.store().log().is_current()).await;
    assert!(timings.hits() > 0, "{timings}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_far_from_redis_is_seen_near_it_within_the_staleness_bound() {
    let seed = seed();
    let redis = RedisServer::start();
    // Each way: over the deadline, under all that nobody waits for.
    let latency = Duration::from_millis(100);
    let proxy = TcpProxy::builder(redis.address())
        .latency(latency)
        .start()
        .await;
    let hiring = Hiring::new();
    let near = Site::on(&hiring, &redis.url()).await;
    let far = Site::on(&hiring, &url(&proxy)).await;
    let ledger = Load::ledger(&hiring);
    let grace = STALENESS_BOUND + SLACK;
    let readers = Load::readers(near.address(), &ledger, seed, grace).await;
    let writers = Load::start(far.address(), &ledger, seed).await;
    writers.goes_on_for(STALENESS_BOUND + SLACK + SLACK).await;
    for (name, load) in [("far", writers), ("near", readers)] {
        say(name, load.finish().await);
    }
}
