//! What was reset stays so, whatever a process that has not heard of it yet believes.

use std::time::Duration;

use tower_keep_rate_limit::{Quota, RateLimitHandle, Subject};
use tower_keep_store::Store;
use tower_keep_test_support::{RedisServer, eventually};

use crate::{
    common::{LONG, builder},
    tools::{bucket, layer, merchant, process},
};

fn handle(store: &Store, quota: Quota) -> RateLimitHandle {
    layer(store.clone(), merchant(quota)).handle()
}

fn subject() -> Subject {
    Subject::header("m")
}

async fn remaining(handle: &RateLimitHandle) -> Option<u32> {
    let left = handle.peek("merchant", &subject()).await.ok()?;
    Some(left.remaining())
}

/// A process that knows that 200 were used, and of a ban; then a call of it failed, and from now on it hears
/// nothing of the log. And another one that hears.
async fn deaf_and_hearing(quota: Quota) -> (RedisServer, [RateLimitHandle; 2]) {
    let mut server = RedisServer::start();
    server.command(&[
        "ACL", "SETUSER", "deaf", "on", ">secret", "~*", "&*", "+@all",
    ]);
    let url = server.url().replace("redis://", "redis://deaf:secret@");
    let store = builder().connect(&url).expect("a good URL");
    let deaf = handle(&store, quota);
    take(&deaf, 200).await;
    let banned = deaf.ban("merchant", &subject(), LONG * 100).await;
    banned.expect("answers");
    assert_eq!(remaining(&deaf).await, Some(0));
    fail(&mut server, &store).await;
    server.command(&["ACL", "SETUSER", "deaf", "-xread"]);
    // What waits for the log does not come back.
    server.command(&["CLIENT", "KILL", "USER", "deaf"]);
    let hearing = handle(&process(&server), quota);
    eventually(LONG, async || remaining(&hearing).await == Some(0)).await;
    (server, [deaf, hearing])
}

async fn take(handle: &RateLimitHandle, units: u32) {
    let taken = handle.take("merchant", &subject(), units).await;
    assert_eq!(taken.expect("answers"), units);
}

/// One of its calls fails.
async fn fail(server: &mut RedisServer, store: &Store) {
    let hasty = store.clone().deadline(Duration::from_millis(100));
    let hasty = handle(&hasty, Quota::per_day(300));
    let other = Subject::header("other");
    server.pause();
    let answer = hasty.peek("merchant", &other).await;
    answer.expect_err("nobody answers");
    server.resume();
}

/// Until the one says so that may not have reached the server for a while; then the other says the same.
async fn agree([deaf, hearing]: &[RateLimitHandle; 2], left: u32) {
    eventually(LONG, async || remaining(deaf).await == Some(left)).await;
    assert_eq!(remaining(hearing).await, Some(left));
}

fn quotas() -> [Quota; 4] {
    let quota = Quota::per_day(300);
    // By the last one a moment has a rest.
    [
        quota,
        quota.strict(),
        quota.fixed_window(),
        Quota::per_day(701),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_is_not_undone_by_a_process_that_has_not_heard_of_it() {
    for quota in quotas() {
        let (_server, processes) = deaf_and_hearing(quota).await;
        let reset = processes[1].reset("merchant", &subject()).await;
        reset.expect("answers");
        agree(&processes, quota.limit()).await;
        take(&processes[1], 10).await;
        agree(&processes, quota.limit() - 10).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_was_lifted_does_not_come_back_by_a_process_that_has_not_heard_of_it() {
    for quota in quotas() {
        let (_server, processes) = deaf_and_hearing(quota).await;
        let lifted = processes[1].unban("merchant", &subject()).await;
        lifted.expect("answers");
        agree(&processes, quota.limit() - 200).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_after_a_reset_is_as_long_as_it_was_said_to_be() {
    let (_server, processes) = deaf_and_hearing(Quota::per_day(300)).await;
    let [deaf, hearing] = &processes;
    let reset = hearing.reset("merchant", &subject()).await;
    reset.expect("answers");
    let banned = hearing.ban("merchant", &subject(), LONG).await;
    banned.expect("answers");
    // The deaf one asks with what it knows of the ban before.
    agree(&processes, 0).await;
    let status = deaf.peek("merchant", &subject()).await.expect("answers");
    assert!(status.retry_after() <= Some(LONG), "{status:?}");
    let unban = hearing.unban("merchant", &subject()).await;
    unban.expect("answers");
    agree(&processes, 300).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_learnt_after_a_reset_is_claimed_from_a_server_that_went_back_to_it() {
    let mut server = RedisServer::start();
    let store = process(&server);
    let handle = handle(&store, Quota::per_day(300));
    let reset = handle.reset("merchant", &subject()).await;
    reset.expect("answers");
    let name = bucket(&server);
    let reset = server.command(&["GET", &name]).text().expect("a reset");
    take(&handle, 100).await;
    fail(&mut server, &store).await;
    server.command(&["SET", &name, &reset]);
    eventually(LONG, async || remaining(&handle).await == Some(200)).await;
}
