use std::time::Duration;

use http::StatusCode;
use tower_keep_faults::LONG;
use tower_keep_test_support::eventually;

use crate::{
    server::{Limits, Server},
    visitor::get,
};

/// One request at a time; what comes meanwhile is refused.
const ONE_AT_A_TIME: Limits = Limits {
    concurrency: 1,
    sheds: true,
    ..Limits::WIDE
};

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_is_answered_while_the_origin_is_full() {
    let server = Server::start(ONE_AT_A_TIME).await;
    let at = server.address;
    assert_eq!(get(at, "/page/a").await.status, StatusCode::OK);
    server.origin.head.close();
    let occupying = tokio::spawn(get(at, "/slow/a"));
    eventually(LONG, async || server.origin.head.waiters() == 1).await;
    for _ in 0..10 {
        let hit = get(at, "/page/a").await;
        assert!(hit.is_hit() && hit.status == StatusCode::OK, "{hit:?}");
        let refused = get(at, "/page/b").await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    }
    server.origin.head.open();
    let answer = occupying.await.expect("an answer");
    assert_eq!(
        (answer.status, &answer.body[..]),
        (StatusCode::OK, &b"a"[..])
    );
    assert_eq!(server.origin.calls(), 2);
    // What was refused was not kept.
    assert_eq!(get(at, "/page/b").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_does_not_queue_behind_those_who_wait_for_the_origin() {
    let limits = Limits {
        sheds: false,
        ..ONE_AT_A_TIME
    };
    let server = Server::start(limits).await;
    let at = server.address;
    get(at, "/page/a").await;
    server.origin.head.close();
    let waiting: Vec<_> = (0..5)
        .map(|i| tokio::spawn(async move { get(at, &format!("/slow/{i}")).await }))
        .collect();
    eventually(LONG, async || {
        server.origin.head.waiters() == 1 && server.origin.arrived() == 6
    })
    .await;
    assert!(get(at, "/page/a").await.is_hit());
    server.origin.head.open();
    for (i, answer) in waiting.into_iter().enumerate() {
        assert_eq!(answer.await.expect("an answer").body, i.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_inside_frees_the_origin_and_is_not_kept() {
    let limits = Limits {
        patience: Duration::from_millis(100),
        ..ONE_AT_A_TIME
    };
    let server = Server::start(limits).await;
    let at = server.address;
    server.origin.head.close();
    let late = get(at, "/slow/a").await;
    assert_eq!(late.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(server.origin.head.waiters(), 0);
    server.origin.head.open();
    let again = get(at, "/slow/a").await;
    assert_eq!(again.status, StatusCode::OK);
    assert!(!again.is_hit());
    assert!(get(at, "/slow/a").await.is_hit());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_in_the_queue_leaves_nothing_behind() {
    let server = Server::start(Limits {
        sheds: false,
        ..ONE_AT_A_TIME
    })
    .await;
    let at = server.address;
    server.origin.head.close();
    let first = tokio::spawn(async move { get(at, "/slow/1").await });
    eventually(LONG, async || server.origin.head.waiters() == 1).await;
    let queued = crate::visitor::send_raw(at, "/slow/2").await;
    eventually(LONG, async || server.origin.arrived() == 2).await;
    drop((queued, first.abort()));
    eventually(LONG, async || server.origin.head.waiters() == 0).await;
    eventually(LONG, async || server.handle.stats().in_flight == 0).await;
    server.origin.head.open();
    assert_eq!(get(at, "/slow/2").await.body, "2");
}
