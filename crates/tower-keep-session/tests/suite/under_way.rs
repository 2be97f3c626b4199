//! Rotations, and what is under way meanwhile: nobody is logged out, and nothing is lost.

use std::{pin::pin, time::Duration};

use futures_util::FutureExt;
use http::Request;
use tokio::time::timeout;
use tower::{Layer, ServiceExt, service_fn};
use tower_keep_session::{Session, SessionHandle, SessionLayer};
use tower_keep_store::Store;
use tower_keep_test_support::eventually;

use crate::common::{Browser, LONG, Side, Wire, on_both_stores};

const HOUR: Duration = Duration::from_secs(3600);
const AFTER_GRACE: Duration = Duration::from_secs(11);

/// Redis takes no writes for a while when a session's time for a new ticket has come.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_server_logs_nobody_out() {
    let side = Side::redis();
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    let session_key = side.session();
    side.advance(HOUR);
    let url = side.server().expect("the side with a server").url();
    let store = Store::builder().deadline(Duration::from_secs(1));
    let store = store.clock(side.clock.clone()).connect(&url);
    let layer = SessionLayer::builder(store.expect("a good URL")).rotate_every(HOUR);
    let mut browser = browser.at(&layer.build().expect("makes sense"));
    let job = async |session: Session| {
        side.command(&["CLIENT", "PAUSE", "3000", "WRITE"]);
        session.user()
    };
    let (user, answer) = browser.visit(job).await;
    assert_eq!(user.as_deref(), Some("ada"));
    assert_eq!(
        answer.status(),
        200,
        "nobody is told that anything is wrong"
    );
    eventually(LONG, async || side.is_tombstone(&session_key)).await;
    side.advance(AFTER_GRACE);
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
}

/// A time-out or load shedding within the layer, where the recommended order has them, is an `Err` of the inner
/// service. The peers' defect was: "rotate plus 5xx destroys the session".
async fn a_rotation_followed_by_an_error_of_the_inner_service_ends_no_session(side: Side) {
    let layer = side.layer();
    let mut browser = Browser::new(&layer);
    browser.login("ada").await;
    let service = layer.layer(service_fn(async |request: Request<()>| {
        let handle = SessionHandle::of(request.extensions()).expect("the layer");
        let session = handle.load().await.expect("the store answers");
        session.rotate().await.expect("rotates");
        Err::<Wire, _>("too slow")
    }));
    let cookie = browser.cookie.clone().expect("a cookie");
    let request = Request::get("/").header("cookie", cookie).body(());
    let answer = service.oneshot(request.expect("a request")).await;
    assert!(answer.is_err());
    side.advance(AFTER_GRACE);
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
}

/// Whoever comes with the old ticket after the grace, as nobody has come with the new one, is given another.
async fn who_was_never_told_a_new_ticket_is_given_one(side: Side) {
    let layer = side.layer();
    let mut browser = Browser::new(&layer);
    browser.login("ada").await;
    let mut deaf = browser.clone();
    rotate(&mut browser).await;
    side.advance(AFTER_GRACE);
    let before = deaf.cookie.clone();
    assert_eq!(deaf.user().await.as_deref(), Some("ada"));
    assert_ne!(deaf.cookie, before);
    let given = deaf.cookie.clone();
    side.advance(HOUR);
    assert_eq!(deaf.user().await.as_deref(), Some("ada"));
    assert_eq!(deaf.cookie, given, "once is enough");
}

/// The handler takes longer than the grace: an upload, a model.
async fn a_slow_request_loses_no_write_to_a_rotation(side: Side) {
    let layer = side.layer();
    let mut browser = Browser::new(&layer);
    browser.login("ada").await;
    let mut slow = browser.clone();
    let (_, answer) = slow
        .visit(async |session: Session| {
            rotate(&mut browser).await;
            side.advance(AFTER_GRACE);
            session.set("result", &1).expect("is noted");
        })
        .await;
    assert_eq!(answer.status(), 200);
    assert_eq!(browser.get("result").await, Some(1));
}

async fn a_slow_logout_ends_a_session_that_was_rotated_meanwhile(side: Side) {
    let layer = side.layer();
    let mut browser = Browser::new(&layer);
    browser.login("ada").await;
    let mut slow = browser.clone();
    let result = slow
        .does(async |session: Session| {
            rotate(&mut browser).await;
            side.advance(AFTER_GRACE);
            session.logout().await
        })
        .await;
    let user = browser.user().await;
    assert!(result.is_err() || user.is_none(), "{result:?} {user:?}");
}

async fn without_grace_a_rotation_ends_no_stream(side: Side) {
    let layer = side.builder().rotation_grace(Duration::ZERO).build();
    let mut browser = Browser::new(&layer.expect("makes sense"));
    browser.login("ada").await;
    let mut revoked = browser.does(async |session| session.revoked()).await;
    let early = timeout(Duration::from_millis(50), &mut revoked).await;
    assert!(early.is_err(), "it waits");
    rotate(&mut browser).await;
    let early = timeout(Duration::from_millis(300), &mut revoked).await;
    assert!(early.is_err(), "it goes on");
}

async fn without_grace_a_write_under_way_is_not_lost(side: Side) {
    let layer = side.builder().rotation_grace(Duration::ZERO).build();
    let mut browser = Browser::new(&layer.expect("makes sense"));
    browser.login("ada").await;
    let mut other = browser.clone();
    other
        .does(async |session: Session| {
            rotate(&mut browser).await;
            session.set("a", &1).expect("is noted");
        })
        .await;
    assert_eq!(browser.get("a").await, Some(1));
}

async fn a_request_under_way_follows_any_number_of_rotations(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    let mut slow = browser.clone();
    slow.does(async |session: Session| {
        for _ in 0..9 {
            rotate(&mut browser).await;
        }
        session.set("a", &1).expect("is noted");
    })
    .await;
    assert_eq!(browser.get("a").await, Some(1));
}

/// lib.rs: "What a handler notes after its response has begun is stored by nobody: use what is `async` there".
async fn what_nobody_can_be_told_of_any_more_is_refused(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    let session = browser.does(async |session: Session| session).await;
    let rotated = session.rotate().await;
    side.advance(AFTER_GRACE);
    let user = browser.user().await;
    assert!(rotated.is_err() || user.is_some(), "{rotated:?} {user:?}");
}

/// As another request of the same client does it.
async fn rotate(browser: &mut Browser) {
    browser
        .does(async |session| session.rotate().await.expect("rotates"))
        .await;
}

/// Two parts of one handler, at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_noted_while_a_ticket_is_made_is_seen() {
    let side = Side::redis();
    let mut browser = Browser::new(&side.layer());
    browser.set("n", 0).await;
    let handler = async |session: Session| {
        let mut rotation = pin!(session.rotate());
        side.command(&["CLIENT", "PAUSE", "10000", "WRITE"]);
        assert!(rotation.as_mut().now_or_never().is_none());
        session.set("n", &1).expect("is noted");
        side.command(&["CLIENT", "UNPAUSE"]);
        rotation.await.expect("rotates");
        let seen = session.get("n").expect("a number");
        session.set("n", &0).expect("is noted");
        seen
    };
    assert_eq!(browser.does(handler).await, Some(1));
    assert_eq!(browser.get("n").await, Some(0), "what was noted last");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_noted_while_a_value_is_updated_is_seen() {
    let side = Side::redis();
    let mut browser = Browser::new(&side.layer());
    browser.set("n", 0).await;
    let handler = async |session: Session| {
        let update = session.update("n", |n: Option<i64>| n.map(|n| n + 5));
        let mut update = pin!(update);
        side.command(&["CLIENT", "PAUSE", "10000", "WRITE"]);
        assert!(update.as_mut().now_or_never().is_none());
        session.set("n", &1).expect("is noted");
        side.command(&["CLIENT", "UNPAUSE"]);
        assert_eq!(update.await.expect("is updated"), Some(5));
        let seen = session.get("n").expect("a number");
        session.set("n", &5).expect("is noted");
        seen
    };
    assert_eq!(browser.does(handler).await, Some(1));
    assert_eq!(browser.get("n").await, Some(5), "what was noted last");
}

#[tokio::test]
async fn what_is_noted_while_a_value_is_added_to_or_taken_is_seen() {
    let side = Side::redis();
    let mut browser = Browser::new(&side.layer());
    browser.set("n", 2).await;
    browser.set("flash", 7).await;
    let handler = async |session: Session| {
        let mut added = pin!(session.increment("n", 5));
        side.command(&["CLIENT", "PAUSE", "10000", "WRITE"]);
        assert!(added.as_mut().now_or_never().is_none());
        session.set("n", &1).expect("is noted");
        side.command(&["CLIENT", "UNPAUSE"]);
        assert_eq!(added.await.expect("is added"), 7);
        let mut taken = pin!(session.take("flash"));
        side.command(&["CLIENT", "PAUSE", "10000", "WRITE"]);
        assert!(taken.as_mut().now_or_never().is_none());
        session.set("flash", &8).expect("is noted");
        side.command(&["CLIENT", "UNPAUSE"]);
        assert_eq!(taken.await.expect("is taken"), Some(7));
        let seen = |name| session.get::<i64>(name).expect("a number");
        (seen("n"), seen("flash"))
    };
    assert_eq!(browser.does(handler).await, (Some(1), Some(8)));
    assert_eq!(browser.get("n").await, Some(1));
    assert_eq!(browser.get("flash").await, Some(8));
}

on_both_stores!(
    who_was_never_told_a_new_ticket_is_given_one,
    a_rotation_followed_by_an_error_of_the_inner_service_ends_no_session,
    a_slow_request_loses_no_write_to_a_rotation,
    a_slow_logout_ends_a_session_that_was_rotated_meanwhile,
    without_grace_a_rotation_ends_no_stream,
    without_grace_a_write_under_way_is_not_lost,
    a_request_under_way_follows_any_number_of_rotations,
    what_nobody_can_be_told_of_any_more_is_refused,
);
