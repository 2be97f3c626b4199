//! Sessions that are to end, and those that have.

use std::time::Duration;

use tokio::time::timeout;
use tower_keep_session::Session;

use crate::common::{Browser, Side, fields, on_both_stores};

/// The same browser logs out everywhere and in again, while an image with the old ticket is on its way.
async fn after_a_logout_everywhere_a_late_request_gets_no_cookie(side: Side) {
    let layer = side.layer();
    let mut browser = Browser::new(&layer);
    browser.login("ada").await;
    let mut late = browser.clone();
    let out = async |session: Session| session.logout_everywhere().await.expect("logs out");
    browser.does(out).await;
    browser.login("ada").await;
    let answer = late.set("seen", 1).await;
    // FAILS: a new anonymous session, whose cookie takes the place of the new login's. After logout() it is none.
    assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
    assert_eq!(layer.stats().ended, 1, "a sign of theft");
}

/// The oldest session ends for a new one; its streams are told, as of any other end.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_hears_that_its_session_gave_way() {
    let side = Side::embedded();
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
    // FAILS: nobody tells; it finds out by asking, up to 15 seconds later.
    assert!(heard.is_ok(), "hears of it within a millisecond or two");
}

on_both_stores!(after_a_logout_everywhere_a_late_request_gets_no_cookie,);
