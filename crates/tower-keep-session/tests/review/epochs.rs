//! How long ends are remembered.

use std::time::Duration;

use crate::common::{Browser, Side, on_both_stores};

/// The next version of the application has a shorter idle time.
async fn a_shorter_idle_time_holds_for_sessions_that_are_there(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    let strict = side
        .builder()
        .idle_timeout(Duration::from_secs(900))
        .build();
    let mut browser = browser.at(&strict.expect("makes sense"));
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
    side.advance(Duration::from_secs(3600));
    // FAILS: an hour without a request; a renewal never brings the end nearer, so it takes a day.
    assert_eq!(browser.user().await, None);
}

on_both_stores!(a_shorter_idle_time_holds_for_sessions_that_are_there,);
