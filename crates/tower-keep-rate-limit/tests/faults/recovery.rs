//! What was known is not forgotten with the server's memory, nor held against anybody after a reset.

use std::time::Duration;

use http::StatusCode;
use tower_keep_rate_limit::{Quota, RateLimitHandle, Subject};
use tower_keep_store::Store;
use tower_keep_test_support::{RedisServer, eventually, holds_within};

use crate::{
    common::{LONG, limited, status},
    tools::{SLACK, layer, merchant, process},
};

/// What a process that has just begun is told.
async fn told(server: &RedisServer) -> Option<u32> {
    let handle = layer(process(server), merchant(Quota::per_day(300))).handle();
    remaining(&handle).await
}

async fn remaining(handle: &RateLimitHandle) -> Option<u32> {
    let left = handle.peek("merchant", &Subject::header("m")).await.ok()?;
    Some(left.remaining())
}

#[derive(Clone, Copy, Debug)]
enum Loss {
    /// Killed and started again, empty, while requests come.
    Noticed,
    /// The same between two requests.
    Unnoticed,
    Flush,
}

async fn forget(server: &mut RedisServer, loss: Loss, meanwhile: impl AsyncFn()) {
    match loss {
        Loss::Noticed => {
            server.kill();
            meanwhile().await;
            server.restart();
        }
        Loss::Unnoticed => server.restart(),
        Loss::Flush => {
            server.command(&["FLUSHALL"]);
        }
    }
}

async fn the_server_is_told_after(loss: Loss) {
    let mut server = RedisServer::start();
    let store = process(&server).deadline(Duration::from_millis(500));
    let layer = layer(store, merchant(Quota::per_day(300)));
    let (service, _) = limited(&layer);
    for _ in 0..200 {
        assert_eq!(status(&service, "m").await, StatusCode::OK);
    }
    forget(&mut server, loss, async || {
        status(&service, "m").await;
    })
    .await;
    let is_told = holds_within(SLACK * 2, async || {
        let _tells = remaining(&layer.handle()).await;
        told(&server).await.is_some_and(|left| left <= 100)
    });
    assert!(
        is_told.await,
        "after {loss:?} {:?} are left",
        told(&server).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_under_load_is_told_what_was_known() {
    the_server_is_told_after(Loss::Noticed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_restarted_between_two_requests_is_told_what_was_known() {
    the_server_is_told_after(Loss::Unnoticed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_keys_were_flushed_is_told_what_was_known() {
    the_server_is_told_after(Loss::Flush).await;
}

/// One process whose call failed after it learnt of a bucket, and another.
async fn after_a_failed_call() -> (RedisServer, [Store; 2], [RateLimitHandle; 2]) {
    let mut server = RedisServer::start();
    let stores = [
        process(&server).deadline(Duration::from_secs(1)),
        process(&server),
    ];
    let handle = |store: &Store| layer(store.clone(), merchant(Quota::per_day(300))).handle();
    let [first, second] = stores.each_ref().map(handle);
    let subject = Subject::header("m");
    assert_eq!(
        first
            .take("merchant", &subject, 200)
            .await
            .expect("answers"),
        200
    );
    first
        .ban("merchant", &subject, LONG * 100)
        .await
        .expect("answers");
    assert_eq!(remaining(&first).await, Some(0));
    server.pause();
    let other = first.peek("merchant", &Subject::header("other")).await;
    other.expect_err("nobody answers");
    server.resume();
    eventually(LONG, async || remaining(&second).await == Some(0)).await;
    (server, stores, [first, second])
}

/// Until the first has heard what the second said.
async fn hears([first, second]: &[Store; 2]) {
    eventually(LONG, async || first.log().stamp() == second.log().stamp()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_reset_by_another_process_after_an_outage_stays_reset() {
    let (server, stores, [first, second]) = after_a_failed_call().await;
    let subject = Subject::header("m");
    second.reset("merchant", &subject).await.expect("answers");
    hears(&stores).await;
    eventually(LONG, async || remaining(&first).await == Some(300)).await;
    assert_eq!(told(&server).await, Some(300));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_another_process_lifted_after_an_outage_stays_lifted() {
    let (server, stores, [first, second]) = after_a_failed_call().await;
    let subject = Subject::header("m");
    second.unban("merchant", &subject).await.expect("answers");
    hears(&stores).await;
    eventually(LONG, async || remaining(&first).await == Some(100)).await;
    assert_eq!(told(&server).await, Some(100));
}
