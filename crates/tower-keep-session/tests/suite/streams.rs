//! Answers that go on for long hear of the end of their session.

use std::time::Duration;

use tokio::time::timeout;
use tower_keep_session::{Revoked, Session};

use crate::common::{Browser, LONG, Side, on_both_stores};

/// A user, and what a stream of that user's waits for, in another process.
async fn stream(side: &Side) -> (Browser, Revoked) {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    let revoked = async |session: Session| session.revoked();
    let revoked = browser.at(&side.layer()).does(revoked).await;
    (browser, revoked)
}

async fn hears(revoked: Revoked) {
    timeout(LONG, revoked).await.expect("hears of it");
}

async fn a_stream_hears_of_a_logout(side: Side) {
    let (mut browser, revoked) = stream(&side).await;
    let waiting = tokio::spawn(revoked);
    browser
        .does(async |session| session.logout().await.expect("logs out"))
        .await;
    timeout(LONG, waiting).await.expect("hears").expect("ends");
}

async fn a_stream_hears_of_a_revocation_and_of_a_logout_everywhere(side: Side) {
    let sessions = side.layer().sessions();
    let (_, revoked) = stream(&side).await;
    let list = sessions.list("ada").await.expect("a list");
    sessions.revoke("ada", &list[0]).await.expect("revokes");
    hears(revoked).await;
    let (_, revoked) = stream(&side).await;
    sessions.revoke_all("ada").await.expect("revokes");
    hears(revoked).await;
}

async fn a_rotation_ends_no_stream_and_a_logout_after_it_does(side: Side) {
    let (mut browser, mut revoked) = stream(&side).await;
    browser
        .does(async |session| session.rotate().await.expect("rotates"))
        .await;
    let early = timeout(Duration::from_millis(300), &mut revoked).await;
    assert!(early.is_err(), "it goes on");
    browser
        .does(async |session| session.logout().await.expect("logs out"))
        .await;
    hears(revoked).await;
}

async fn the_logout_of_others_ends_no_stream(side: Side) {
    let (mut browser, mut revoked) = stream(&side).await;
    let mut other = Browser::new(&side.layer());
    other.login("ada").await;
    other
        .does(async |session| session.logout().await.expect("logs out"))
        .await;
    browser
        .does(async |session| session.revoke_others().await.expect("revokes"))
        .await;
    let early = timeout(Duration::from_millis(300), &mut revoked).await;
    assert!(early.is_err(), "it goes on");
}

async fn where_there_is_no_session_there_is_nothing_to_wait_for(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let revoked = async |session: Session| session.revoked();
    hears(browser.does(revoked).await).await;
}

/// A server that is down ends nothing, and is not asked without a pause.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_ends_no_stream() {
    let mut side = Side::redis();
    let (_, mut revoked) = stream(&side).await;
    let early = timeout(Duration::from_millis(100), &mut revoked).await;
    assert!(early.is_err(), "it waits");
    side.server_mut().kill();
    let early = timeout(Duration::from_millis(500), &mut revoked).await;
    assert!(early.is_err(), "it goes on");
}

/// The oldest session ends for a new one; its streams are told, as of any other end.
async fn a_stream_hears_that_its_session_gave_way(side: Side) {
    let layer = side.builder().sessions_per_user(1).build();
    let layer = layer.expect("makes sense");
    let mut first = Browser::new(&layer);
    first.login("ada").await;
    let mut revoked = first.does(async |session| session.revoked()).await;
    let early = timeout(Duration::from_millis(50), &mut revoked).await;
    assert!(early.is_err(), "it waits");
    Browser::new(&layer).login("ada").await;
    assert_eq!(first.user().await, None);
    let heard = timeout(Duration::from_secs(5), revoked).await;
    assert!(heard.is_ok(), "hears of it within a millisecond or two");
}

on_both_stores!(
    a_stream_hears_of_a_logout,
    a_stream_hears_of_a_revocation_and_of_a_logout_everywhere,
    a_rotation_ends_no_stream_and_a_logout_after_it_does,
    the_logout_of_others_ends_no_stream,
    where_there_is_no_session_there_is_nothing_to_wait_for,
    a_stream_hears_that_its_session_gave_way,
);
