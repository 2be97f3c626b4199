//! Sessions end by themselves: some time after the last request, and some time after the login.

use std::time::Duration;

use futures_util::future::join_all;
use tower_keep_session::{Session, SessionLayer};
use tower_keep_store::{Clock, Store};
use tower_keep_test_support::eventually;

use crate::common::{Browser, LONG, START, Side, on_both_stores};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn a_session_ends_a_day_after_its_last_request(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    for _ in 0..5 {
        side.advance(23 * HOUR);
        assert_eq!(browser.user().await.as_deref(), Some("ada"));
        renewed(&side, &browser, DAY).await;
    }
    side.advance(DAY);
    assert_eq!(browser.user().await, None);
}

async fn a_session_ends_thirty_days_after_its_login_however_often_it_is_used(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    for i in 0..39 {
        side.advance(18 * HOUR);
        assert_eq!(browser.user().await.as_deref(), Some("ada"), "{i}");
        let left = (30 * DAY - 18 * HOUR * (i as u32 + 1)).min(DAY);
        // Before the clock goes on: a late renewal would go by the time at which it was asked for.
        renewed(&side, &browser, left).await;
        browser.set("i", i).await;
    }
    // The server's own time goes on, too, while we do this.
    side.advance(18 * HOUR - Duration::from_secs(60));
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
    browser.set("i", 39).await;
    browser
        .does(async |session| session.rotate().await.expect("rotates"))
        .await;
    side.advance(Duration::from_secs(60));
    assert_eq!(browser.user().await, None);
}

async fn a_login_begins_anew(side: Side) {
    let mut browser = Browser::new(&side.layer());
    for i in 0..35 {
        browser.set("i", i).await;
        side.advance(20 * HOUR);
    }
    browser.login("ada").await;
    for i in 0..34 {
        browser.set("i", i).await;
        side.advance(20 * HOUR);
    }
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
}

async fn reading_a_lot_writes_ten_times_in_an_idle_time(side: Side) {
    let layers = [side.layer(), side.layer()];
    let mut browser = Browser::new(&layers[0]);
    browser.login("ada").await;
    let steps = 200;
    if let Some(server) = side.server() {
        server.reset_stats();
    }
    for _ in 0..steps {
        side.advance(DAY / steps);
        let reads = (0..4).map(|i| {
            let mut browser = browser.at(&layers[i % 2]);
            async move { browser.user().await }
        });
        let users = join_all(reads).await;
        assert!(users.iter().all(|user| user.as_deref() == Some("ada")));
        renewed(&side, &browser, DAY * 9 / 10).await;
    }
    if let Some(server) = side.server() {
        let renewals = server.command_stats()["set"];
        assert!((8..=11).contains(&renewals), "{renewals} renewals");
    }
}

async fn a_renewal_brings_nothing_back(side: Side) {
    let layer = side.layer();
    for _ in 0..20 {
        let mut browser = Browser::new(&layer);
        browser.login("ada").await;
        side.advance(12 * HOUR);
        let mut late = browser.clone();
        let logout = async |session: Session| session.logout().await.expect("logs out");
        // Reading begins a renewal that nobody waits for.
        tokio::join!(browser.does(logout), late.user());
        assert_eq!(late.user().await, None);
        for key in side.sessions() {
            assert!(side.lives(&key) <= 60_000, "the end of it is not put off");
        }
    }
}

/// Nobody is logged out by a clock that is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_with_another_clock_finds_the_same_sessions() {
    let side = Side::redis();
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    browser.set("n", 1).await;
    let url = side.server().expect("the side with a server").url();
    for time in [START + DAY + HOUR, START - DAY, START] {
        let store = Store::builder().deadline(LONG).clock(Clock::manual(time));
        let layer = SessionLayer::new(store.connect(&url).expect("a good URL"));
        let mut there = browser.at(&layer);
        assert_eq!(there.get("n").await, Some(1), "{time:?}");
        assert_eq!(there.user().await.as_deref(), Some("ada"), "{time:?}");
    }
}

fn is_epoch(key: &str) -> bool {
    key.starts_with("keep:su:") && key.ends_with(":00000000")
}

async fn after_everything_expired_nothing_is_left(side: Side) {
    let layer = side.layer();
    let mut browsers = Vec::new();
    for i in 0..6 {
        let mut browser = Browser::new(&layer);
        browser.set("cart", i).await;
        if i > 0 {
            browser.login(["ada", "grace"][i as usize % 2]).await;
        }
        browsers.push(browser);
    }
    browsers[1]
        .does(async |session| session.rotate().await.expect("rotates"))
        .await;
    browsers[2]
        .does(async |session| session.logout().await.expect("logs out"))
        .await;
    browsers[3]
        .does(async |session| session.revoke_others().await.expect("revokes"))
        .await;
    layer.sessions().revoke_all("ada").await.expect("revokes");
    browsers[4].login("ada").await;
    for key in side.keys() {
        let lives = side.lives(&key);
        // A user's epoch outlives the sessions of any layer.
        let days = if is_epoch(&key) { 401 } else { 31 };
        let most = days * 24 * 3_600_000;
        assert!(lives > 0 && lives <= most, "{key}: {lives}");
    }
    side.advance(DAY);
    assert_eq!(side.sessions(), [""; 0]);
    side.advance(30 * DAY);
    assert!(side.keys().iter().all(|key| is_epoch(key)));
    side.advance(371 * DAY);
    assert_eq!(side.keys(), [""; 0]);
    assert_eq!(layer.sessions().list("ada").await.expect("a list"), []);
}

#[test]
fn lifetimes_that_make_no_sense_are_found_when_the_layer_is_built() {
    let builder = || SessionLayer::builder(Store::memory());
    for builder in [
        builder().idle_timeout(Duration::ZERO),
        builder().idle_timeout(Duration::from_millis(999)),
        builder().idle_timeout(31 * DAY),
        builder().absolute_timeout(HOUR),
        builder().absolute_timeout(401 * DAY),
        builder().absolute_timeout(Duration::MAX),
        builder().rotation_grace(Duration::MAX),
        builder().rotate_every(Duration::from_secs(59)),
        builder().rotate_every(HOUR).rotation_grace(HOUR),
        builder().token_leeway(2 * DAY),
        builder().size_limit(0),
        builder().sessions_per_user(0),
        builder().sessions_per_user(1001),
    ] {
        let shown = format!("{builder:?}");
        assert!(builder.build().is_err(), "{shown}");
    }
}

/// Reads until the session on the server lives so long again; nothing to wait for in memory. (A read that finds
/// the renewal before it just done, but not yet heard of, begins none.)
async fn renewed(side: &Side, browser: &Browser, lives: Duration) {
    if side.server().is_none() {
        return;
    }
    let lives = i64::try_from(lives.as_millis()).expect("not so long");
    let key = side.session();
    // What passes while we look, and the tenth in which nothing is renewed.
    eventually(LONG, async || {
        browser.clone().user().await;
        side.lives(&key) > lives - lives / 10 - 1000
    })
    .await;
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
    if side.server().is_some() {
        // Nobody waits for a renewal.
        let key = side.session();
        eventually(LONG, async || side.lives(&key) <= 900_000).await;
    }
    side.advance(Duration::from_secs(3600));
    assert_eq!(browser.user().await, None);
}

on_both_stores!(
    a_session_ends_a_day_after_its_last_request,
    a_session_ends_thirty_days_after_its_login_however_often_it_is_used,
    a_login_begins_anew,
    reading_a_lot_writes_ten_times_in_an_idle_time,
    a_renewal_brings_nothing_back,
    after_everything_expired_nothing_is_left,
    a_shorter_idle_time_holds_for_sessions_that_are_there,
);
