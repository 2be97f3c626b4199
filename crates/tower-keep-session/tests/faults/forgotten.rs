//! The server loses a user's epoch, or index, alone: by an eviction that should not be, or a hand.

use std::time::Duration;

use tower_keep_session::Session;

use crate::common::{Browser, Side, devices, labels, list, users};

/// Loses it, some time later, but for these keys.
fn lose(side: &Side, part: &str, but: &[String]) {
    side.advance(Duration::from_secs(1));
    for key in side.keys() {
        if key.starts_with("keep:su:") && key.ends_with(part) && !but.contains(&key) {
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

/// What nobody can judge any more is over, also for a request that is under way.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_epoch_the_sessions_of_its_user_are_over_and_of_no_other() {
    let side = Side::redis();
    let mut other = devices(&side, "grace", 1).await;
    let graces = side.keys();
    let mut browsers = devices(&side, "ada", 2).await;
    let late = async |session: Session| {
        lose(&side, EPOCH, &graces);
        session.increment("late", 1).await.is_err()
    };
    assert!(browsers[0].clone().does(late).await);
    assert_eq!(users(&mut browsers).await, [false; 2]);
    assert_eq!(users(&mut other).await, [true]);
    let list_of = async |user| side.layer().sessions().list(user).await.expect("a list");
    assert_eq!(list_of("ada").await, []);
    assert_eq!(list_of("grace").await.len(), 1);
    // A login begins a new one, later than all of before.
    browsers.extend(devices(&side, "ada", 1).await);
    assert_eq!(users(&mut browsers).await, [false, false, true]);
    assert_eq!(list_of("ada").await.len(), 1);
}

/// One session stayed when all others ended, with an epoch later than those.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_kept_is_over_too_and_the_next_logout_everywhere_holds() {
    let side = Side::redis();
    let mut browsers = devices(&side, "ada", 2).await;
    let others = async |session: Session| session.revoke_others().await.expect("revokes");
    browsers[0].does(others).await;
    assert_eq!(users(&mut browsers).await, [true, false]);
    lose(&side, EPOCH, &[]);
    browsers.extend(devices(&side, "ada", 1).await);
    assert_eq!(users(&mut browsers).await, [false, false, true]);
    browsers[2].set("a", 1).await;
    assert_eq!(browsers[2].get("a").await, Some(1));
    assert_eq!(labels(&browsers[2].does(list).await), ["device 0"]);
    everywhere(&mut browsers[2].clone()).await;
    assert_eq!(users(&mut browsers).await, [false; 3]);
}

/// The epoch went, and the server that goes on has an earlier time than the one that gave it.
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_everywhere_ends_the_one_that_asks_whatever_its_epoch() {
    let side = Side::redis();
    let mut browsers = devices(&side, "ada", 1).await;
    let in_an_hour = side.clock.now() + Duration::from_secs(3600);
    let in_an_hour = (in_an_hour.as_micros() / 1000).to_string();
    let planted = side.command(&["EVAL", OF_EPOCH, "1", &side.session(), &in_an_hour]);
    assert_eq!(planted.text().as_deref(), Some("OK"));
    assert_eq!(users(&mut browsers).await, [true]);
    everywhere(&mut browsers[0].clone()).await;
    assert_eq!(users(&mut browsers).await, [false]);
}

/// Gives a session's record another epoch.
const OF_EPOCH: &str = "
    local head, rest = string.match(redis.call('GET', KEYS[1]), '^(s%d+ )%d+( .*)$')
    return redis.call('SET', KEYS[1], head .. ARGV[1] .. rest, 'KEEPTTL')";

#[tokio::test(flavor = "multi_thread")]
async fn who_has_ended_by_one_stays_so_while_the_next_is_remembered() {
    let side = Side::redis();
    let mut browsers = devices(&side, "ada", 1).await;
    let sessions = side.layer().sessions();
    sessions.revoke_all("ada").await.expect("revokes");
    lose(&side, EPOCH, &[]);
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
    lose(&side, INDEX, &[]);
    assert_eq!(users(&mut browsers).await, [true; 3]);
    let rotate = async |session: Session| session.rotate().await.expect("rotates");
    browsers[0].does(rotate).await;
    let logout = async |session: Session| session.logout().await.expect("logs out");
    browsers[1].does(logout).await;
    assert_eq!(users(&mut browsers).await, [true, false, true]);
    everywhere(&mut browsers[0].clone()).await;
    assert_eq!(users(&mut browsers).await, [false; 3]);
}
