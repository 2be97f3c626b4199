//! Records whose keys somebody made to last.

use std::time::Duration;

use tower_keep_session::{Session, SessionError};

use crate::common::{Browser, Side};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A session ends by itself when its record says so, also for whoever loaded it in time.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_write_brings_no_session_back_that_was_made_to_last() {
    let side = Side::redis();
    for way in ["increment", "set", "rotate", "login"] {
        let mut browser = Browser::new(&side.layer());
        browser.login("ada").await;
        let mut late = browser.clone();
        let key = side.session();
        late.does(async |session: Session| {
            side.command(&["PERSIST", &key]);
            side.clock.advance(DAY);
            let result = match way {
                "increment" => session.increment("n", 1).await.map(drop),
                "rotate" => session.rotate().await,
                "login" => session.login("ada", 2).await,
                _ => session.set("n", &1),
            };
            let has_ended = matches!(result, Err(SessionError::Ended));
            assert!(way == "set" || has_ended, "{way}: {result:?}");
        })
        .await;
        assert_eq!(late.user().await, None, "{way}");
        assert_eq!(browser.user().await, None, "{way}");
        side.command(&["FLUSHALL"]);
    }
}

/// Nor can it ask for anything else.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_made_to_last_ends_no_others() {
    let side = Side::redis();
    let mut other = Browser::new(&side.layer());
    let mut browser = other.clone();
    browser.login("ada").await;
    let key = side.session();
    let ended = browser
        .does(async |session: Session| {
            side.command(&["PERSIST", &key]);
            side.clock.advance(DAY);
            other.login("ada").await;
            let list = side.layer().sessions().list("ada").await.expect("a list");
            let device = list.iter().max_by_key(|device| device.created());
            let device = device.expect("the other one");
            [
                session.revoke(device).await,
                session.revoke_others().await,
                session.logout_everywhere().await,
            ]
        })
        .await;
    for ended in ended {
        assert!(matches!(ended, Err(SessionError::Ended)), "{ended:?}");
    }
    assert_eq!(other.user().await.as_deref(), Some("ada"));
}
