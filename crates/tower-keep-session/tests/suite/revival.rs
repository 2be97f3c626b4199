//! A session that has ended comes back from no request that was under way.

use std::time::Duration;

use http::StatusCode;
use tower_keep_session::{Session, SessionLayer};
use tower_keep_test_support::{Gate, eventually};

use crate::common::{Answer, Browser, LONG, Side, fields, on_both_stores};

/// A request that has loaded its session waits, while `end` happens; then it changes two fields in two ways.
async fn bystander(browser: &Browser, end: impl AsyncFnOnce()) -> Answer {
    let gate = Gate::closed();
    let mut bystander = browser.clone();
    let write = bystander.visit(async |session: Session| {
        gate.pass().await;
        session.set("late", &1).expect("is noted");
        let _too_late = session.take::<i64>("flash").await.expect("finds nothing");
    });
    let then = async {
        eventually(LONG, async || gate.waiters() == 1).await;
        end().await;
        gate.open();
    };
    tokio::join!(write, then).0.1
}

/// Nothing came back: no value, no user, no cookie, no failure.
async fn assert_over(before: &Browser, answer: &Answer) {
    assert_eq!(answer.status(), StatusCode::OK, "the bystander is innocent");
    assert_eq!(fields(answer, "set-cookie"), [""; 0]);
    let mut late = before.clone();
    assert_eq!(late.user().await, None);
    assert_eq!(late.get("late").await, None);
    assert_eq!(late.get("early").await, None);
}

async fn logged_in(layer: &SessionLayer) -> Browser {
    let mut browser = Browser::new(layer);
    browser.login("ada").await;
    browser.set("early", 1).await;
    browser.set("flash", 1).await;
    browser
}

async fn a_logout_is_not_undone_by_a_request_in_flight(side: Side) {
    let layer = side.layer();
    let browser = logged_in(&layer).await;
    let mut same = browser.clone();
    let end = async || {
        same.does(async |session| session.logout().await.expect("logs out"))
            .await;
    };
    let answer = bystander(&browser, end).await;
    assert_over(&browser, &answer).await;
    assert_eq!(same.cookie, None, "the one that logged out lost its cookie");
    assert_eq!(layer.stats().late, 1);
}

async fn a_revocation_is_not_undone_by_a_request_in_flight(side: Side) {
    let layer = side.layer();
    let browser = logged_in(&layer).await;
    let sessions = side.layer().sessions();
    let end = async || {
        let list = sessions.list("ada").await.expect("a list");
        sessions.revoke("ada", &list[0]).await.expect("revokes");
    };
    let answer = bystander(&browser, end).await;
    assert_over(&browser, &answer).await;
}

async fn a_logout_everywhere_is_not_undone_by_a_request_in_flight(side: Side) {
    let layer = side.layer();
    let browser = logged_in(&layer).await;
    let sessions = side.layer().sessions();
    let end = async || sessions.revoke_all("ada").await.expect("revokes");
    let answer = bystander(&browser, end).await;
    assert_over(&browser, &answer).await;
}

async fn an_expiry_is_not_undone_by_a_request_in_flight(side: Side) {
    let layer = side.layer();
    let browser = logged_in(&layer).await;
    let end = async || side.advance(Duration::from_secs(24 * 3600 + 1));
    let answer = bystander(&browser, end).await;
    assert_over(&browser, &answer).await;
    assert_eq!(side.sessions(), [""; 0]);
}

async fn a_login_as_somebody_else_ends_what_was_before(side: Side) {
    let layer = side.layer();
    let browser = logged_in(&layer).await;
    let mut same = browser.clone();
    let end = async || drop(same.login("grace").await);
    let answer = bystander(&browser, end).await;
    assert_over(&browser, &answer).await;
    assert_eq!(same.user().await.as_deref(), Some("grace"));
    assert_eq!(same.get("late").await, None);
}

/// It comes with the old ticket, and looks only after the logout.
async fn a_request_that_looks_after_the_logout_gets_and_does_nothing(side: Side) {
    let layer = side.layer();
    let mut browser = logged_in(&layer).await;
    let mut late = browser.clone();
    browser
        .does(async |session| session.logout().await.expect("logs out"))
        .await;
    let before = side.keys();
    let (_, answer) = late
        .visit(async |session| {
            assert_eq!(session.user(), None);
            assert_eq!(session.get::<i64>("early").expect("nothing"), None);
            session.set("late", &1).expect("is noted, in vain");
        })
        .await;
    assert_over(&late, &answer).await;
    assert_eq!(side.keys(), before, "no key was written");
    assert!(layer.stats().ended >= 1);
}

async fn a_second_logout_takes_no_cookie_away(side: Side) {
    let layer = side.layer();
    let mut browser = logged_in(&layer).await;
    let mut late = browser.clone();
    browser.login("ada").await;
    // It would take the new cookie away from the same browser.
    let (_, answer) = late
        .visit(async |session| session.logout().await.expect("logs out"))
        .await;
    assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
}

on_both_stores!(
    a_logout_is_not_undone_by_a_request_in_flight,
    a_revocation_is_not_undone_by_a_request_in_flight,
    a_logout_everywhere_is_not_undone_by_a_request_in_flight,
    an_expiry_is_not_undone_by_a_request_in_flight,
    a_login_as_somebody_else_ends_what_was_before,
    a_request_that_looks_after_the_logout_gets_and_does_nothing,
    a_second_logout_takes_no_cookie_away,
);
