//! The server loses a user's epoch, or index, alone: by an eviction that should not be, or a hand.

use std::time::Duration;

use tower_keep_session::Session;

use crate::common::{Browser, Side, devices, labels, list, users};

/// Loses it, some time later.
fn lose(side: &Side, part: &str) {
    side.advance(Duration::from_secs(1));
    for key in side.keys() {
        if key.starts_with("keep:su:") && key.ends_with(part) {
            side.command(&["DEL", &key]);
        }
    }
}

const EPOCH: &str = ":00000000";
const INDEX: &str = ":00000001";

async fn everywhere(browser: &mut Browser) {
    let out = async |session: Session| session.logout_everywhere().await.expect("logs out");
    browser.does(out).await;
}

/// "It may lose a logout too": what it cannot lose is the next one.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_logout_everywhere_holds_for_all_that_came_back() {
    let side = Side::redis();
    let mut browsers = devices(&side, "ada", 3).await;
    let mut other = devices(&side, "grace", 1).await;
    everywhere(&mut browsers[2].clone()).await;
    assert_eq!(users(&mut browsers).await, [false; 3]);
    lose(&side, EPOCH);
    // The index went with the logout: they are in no list, and an epoch needs none.
    assert_eq!(
        side.layer().sessions().list("ada").await.expect("a list"),
        []
    );
    let sessions = side.layer().sessions();
    sessions.revoke_all("ada").await.expect("revokes");
    assert_eq!(users(&mut browsers).await, [false; 3]);
    assert_eq!(users(&mut other).await, [true]);
}

/// One session stayed when all others ended, with an epoch later than those of sessions that begin now.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_all_epochs_go_on_and_end_together() {
    let side = Side::redis();
    let mut browsers = devices(&side, "ada", 2).await;
    let others = async |session: Session| session.revoke_others().await.expect("revokes");
    browsers[0].does(others).await;
    lose(&side, EPOCH);
    browsers.extend(devices(&side, "ada", 1).await);
    let both = async |browsers: &mut [Browser]| {
        let (first, last) = (browsers[0].user().await, browsers[2].user().await);
        (first.is_some(), last.is_some())
    };
    assert_eq!(both(&mut browsers).await, (true, true));
    for i in [0, 2] {
        browsers[i].set("a", 1).await;
        assert_eq!(browsers[i].get("a").await, Some(1));
        let listed = browsers[i].does(list).await;
        assert_eq!(
            labels(&listed),
            ["device 0", "device 0"],
            "one name, two devices"
        );
    }
    side.advance(Duration::from_secs(1));
    everywhere(&mut browsers[2].clone()).await;
    assert_eq!(users(&mut browsers).await, [false; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_ended_by_one_stays_so_while_the_next_is_remembered() {
    let side = Side::redis();
    let mut browsers = devices(&side, "ada", 1).await;
    let sessions = side.layer().sessions();
    sessions.revoke_all("ada").await.expect("revokes");
    lose(&side, EPOCH);
    browsers.extend(devices(&side, "ada", 1).await);
    let others = async |session: Session| session.revoke_others().await.expect("revokes");
    browsers[1].does(others).await;
    assert_eq!(users(&mut browsers).await, [false, true]);
    side.advance(Duration::from_secs(23 * 3600));
    assert_eq!(users(&mut browsers).await, [false, true]);
}

/// Without the index nobody is listed and no cap counts; each session goes on, and can be ended by its own and by all.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_index_sessions_go_on_and_end() {
    let side = Side::redis();
    let mut browsers = devices(&side, "ada", 3).await;
    lose(&side, INDEX);
    assert_eq!(users(&mut browsers).await, [true; 3]);
    let rotate = async |session: Session| session.rotate().await.expect("rotates");
    browsers[0].does(rotate).await;
    let logout = async |session: Session| session.logout().await.expect("logs out");
    browsers[1].does(logout).await;
    assert_eq!(users(&mut browsers).await, [true, false, true]);
    everywhere(&mut browsers[0].clone()).await;
    assert_eq!(users(&mut browsers).await, [false; 3]);
}
