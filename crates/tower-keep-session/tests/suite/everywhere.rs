//! A user is logged out everywhere.

use std::time::Duration;

use tower_keep_session::Session;

use crate::common::{Side, devices, labels, list, on_both_stores, users};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn all_others_end_and_this_one_stays(side: Side) {
    let mut browsers = devices(&side, "ada", 4).await;
    let mut other = devices(&side, "grace", 1).await;
    browsers[1]
        .does(async |session| session.revoke_others().await.expect("revokes"))
        .await;
    assert_eq!(users(&mut browsers).await, [false, true, false, false]);
    assert_eq!(users(&mut other).await, [true]);
    assert_eq!(labels(&browsers[1].does(list).await), ["device 1"]);
    browsers[1].set("goes on", 1).await;
    assert_eq!(browsers[1].get("goes on").await, Some(1));
}

async fn a_logout_everywhere_is_one(side: Side) {
    let mut browsers = devices(&side, "ada", 3).await;
    let everywhere = async |session: Session| session.logout_everywhere().await.expect("ends");
    browsers[1].does(everywhere).await;
    assert_eq!(browsers[1].cookie, None);
    assert_eq!(users(&mut browsers).await, [false; 3]);
    browsers[0].login("ada").await;
    assert_eq!(users(&mut browsers).await, [true, false, false]);
    assert_eq!(browsers[0].does(list).await.len(), 1);
}

async fn a_logout_everywhere_needs_no_index(side: Side) {
    let mut browsers = devices(&side, "ada", 3).await;
    for key in side.keys() {
        if key.starts_with("keep:su:") {
            side.command(&["DEL", &key]);
        }
    }
    side.layer()
        .sessions()
        .revoke_all("ada")
        .await
        .expect("revokes");
    assert_eq!(users(&mut browsers).await, [false; 3]);
}

/// The second time, the memory of the first is gone; what began in between ends all the same.
async fn logouts_everywhere_a_month_apart_both_hold(side: Side) {
    let mut browsers = devices(&side, "ada", 1).await;
    let sessions = side.layer().sessions();
    sessions.revoke_all("ada").await.expect("revokes");
    side.advance(29 * DAY);
    browsers.extend(devices(&side, "ada", 1).await);
    for i in 0..4 {
        side.advance(DAY / 2);
        browsers[1].set("i", i).await;
        assert_eq!(users(&mut browsers).await, [false, true]);
    }
    sessions.revoke_all("ada").await.expect("revokes");
    assert_eq!(users(&mut browsers).await, [false, false]);
}

/// A server that evicts, or that fails over too early, loses the epoch, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_epoch_brings_no_session_back() {
    let side = Side::redis();
    let mut browsers = devices(&side, "ada", 2).await;
    let lose = || {
        let epochs = side.keys().into_iter();
        for key in epochs.filter(|key| key.ends_with(":00000000")) {
            side.command(&["DEL", &key]);
        }
    };
    side.layer()
        .sessions()
        .revoke_all("ada")
        .await
        .expect("revokes");
    lose();
    assert_eq!(users(&mut browsers).await, [false; 2]);
    side.clock.advance(Duration::from_secs(1));
    browsers[1].login("ada").await;
    assert_eq!(users(&mut browsers).await, [false, true]);
    lose();
    assert_eq!(users(&mut browsers).await, [false; 2], "rather that");
    side.clock.advance(Duration::from_secs(1));
    browsers[0].login("ada").await;
    assert_eq!(users(&mut browsers).await, [true, false]);
    assert_eq!(browsers[0].does(list).await.len(), 1);
}

on_both_stores!(
    all_others_end_and_this_one_stays,
    a_logout_everywhere_is_one,
    a_logout_everywhere_needs_no_index,
    logouts_everywhere_a_month_apart_both_hold,
);
