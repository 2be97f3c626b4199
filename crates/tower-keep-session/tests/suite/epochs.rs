//! How long ends are remembered.

use std::time::{Duration, SystemTime};

use tower_keep_session::{Session, SessionLayer};

use crate::common::{Browser, Side, fields, on_both_stores};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The application remembers users for 90 days; the administrator's tool uses the preset, on the same store. Or:
/// the next version of the application has shorter deadlines.
async fn a_logout_everywhere_holds_whoever_asked_for_it(side: Side) {
    let app = side.builder().idle_timeout(90 * DAY);
    let app = app.absolute_timeout(90 * DAY).build();
    let app = app.expect("makes sense");
    let mut thief = Browser::new(&app);
    thief.login("ada").await;
    let tool = SessionLayer::new(side.store());
    tool.sessions().revoke_all("ada").await.expect("revokes");
    assert_eq!(thief.user().await, None);
    side.advance(30 * DAY + Duration::from_secs(61));
    assert_eq!(thief.user().await, None);
    let set = async |session: Session| session.increment("n", 1).await.is_ok();
    let _anonymous = thief.does(set).await;
}

async fn a_token_that_was_revoked_twice_is_revoked_for_the_longer_time(side: Side) {
    let sessions = side.layer().sessions();
    let ends: SystemTime = side.clock.now().into();
    let ends = ends + 30 * DAY;
    sessions
        .revoke_token("t", Some(ends))
        .await
        .expect("revokes");
    sessions.revoke_token("t", None).await.expect("revokes");
    side.advance(8 * DAY);
    let is_revoked = sessions.is_token_revoked("t").await;
    assert!(is_revoked.expect("the store answers"));
}

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
    assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
    assert_eq!(layer.stats().ended, 1, "a sign of theft");
}

on_both_stores!(
    a_logout_everywhere_holds_whoever_asked_for_it,
    a_token_that_was_revoked_twice_is_revoked_for_the_longer_time,
    after_a_logout_everywhere_a_late_request_gets_no_cookie,
);
