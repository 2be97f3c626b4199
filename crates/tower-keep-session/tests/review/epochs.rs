//! How long ends are remembered.

use std::time::{Duration, SystemTime};

use tower_keep_session::{Session, SessionLayer};

use crate::common::{Browser, Side, on_both_stores};

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
    // FAILS on Redis: the epoch has expired before the session, which is back.
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
    // FAILS: the second revocation has shortened the first: good again for 22 days.
    assert!(is_revoked.expect("the store answers"));
}

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

on_both_stores!(
    a_shorter_idle_time_holds_for_sessions_that_are_there,
    a_logout_everywhere_holds_whoever_asked_for_it,
    a_token_that_was_revoked_twice_is_revoked_for_the_longer_time,
);
