//! Random schedules: all three say the same of each operation.

use tower_keep_store::{Clock, Store};
use tower_keep_test_support::{Random, RedisServer, seed};

use crate::{
    common::{START, builder},
    plan::Plan,
    run::Run,
};

pub(crate) fn stores(server: &RedisServer) -> [Store; 2] {
    let memory = Store::builder().clock(Clock::manual(START)).memory();
    let redis = builder().clock(Clock::manual(START));
    [memory, redis.connect(&server.url()).expect("a good URL")]
}

/// How many: `TOWER_KEEP_SCHEDULES`, or as many as every run has time for.
fn schedules() -> u64 {
    let given = std::env::var("TOWER_KEEP_SCHEDULES").ok();
    given.map_or(USUAL, |text| text.parse().expect("a number of schedules"))
}

#[tokio::test(flavor = "multi_thread")]
async fn both_stores_and_the_model_say_the_same_of_every_operation() {
    let server = RedisServer::start();
    let stores = stores(&server);
    let seed = seed();
    for schedule in 0..schedules() {
        let mut random = Random::new(seed.wrapping_add(schedule));
        let plan = Plan::random(&mut random, &format!("s{schedule}"));
        // So that it can be repeated alone: it is then the first.
        let title = format!("KEEP_SEED={}", seed.wrapping_add(schedule));
        let mut run = Run::new(title, plan, &stores);
        run.random(&mut random, OPERATIONS).await;
    }
}

const USUAL: u64 = 180;
const OPERATIONS: u64 = 80;
