//! "Remember me": sessions that a browser keeps when it is closed, and those that it is to forget.

use std::time::Duration;

use tower_keep_session::{Login, Session, SessionCookie, Transport};

use crate::common::{Answer, Browser, Side, fields, on_both_stores};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn login(browser: &mut Browser, login: Login) -> Answer {
    let (result, answer) = browser
        .visit(async |session| session.login_with(login).await)
        .await;
    result.expect("logs in");
    answer
}

/// How old the cookie may become, if it says so.
fn age(answer: &Answer) -> Option<u64> {
    let line = fields(answer, "set-cookie").remove(0);
    let age = line
        .split("; ")
        .find_map(|part| part.strip_prefix("Max-Age="))?;
    Some(age.parse().expect("seconds"))
}

/// Somebody comes every few hours, for so long.
async fn stays(side: &Side, browser: &mut Browser, time: Duration) {
    for _ in 0..time.as_secs() / (6 * HOUR).as_secs() {
        side.advance(6 * HOUR);
        let visit = async |session: Session| session.increment("visits", 1).await.map(drop);
        // Whoever is not known any more begins another session.
        browser.does(visit).await.expect("is there");
    }
}

async fn who_is_remembered_is_so_as_long_as_a_session_can_be(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let answer = login(&mut browser, Login::new("ada", 1).remember(true)).await;
    assert_eq!(age(&answer), Some(30 * 24 * 3600));
    stays(&side, &mut browser, 2 * DAY).await;
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
}

async fn who_is_not_is_forgotten_by_the_browser_and_after_a_day_by_the_server(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let answer = login(&mut browser, Login::new("ada", 1).remember(false)).await;
    assert_eq!(age(&answer), None);
    let line = &fields(&answer, "set-cookie")[0];
    assert!(!line.contains("Expires"), "{line}");
    assert!(line.ends_with("HttpOnly; SameSite=Lax; Secure; Path=/"));
    stays(&side, &mut browser, 18 * HOUR).await;
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
    side.advance(6 * HOUR);
    assert_eq!(browser.user().await, None);
    assert_eq!(side.sessions(), [""; 0]);
}

async fn a_rotation_makes_it_no_longer_nor_remembered(side: Side) {
    let mut browser = Browser::new(&side.layer());
    login(&mut browser, Login::new("ada", 1).remember(false)).await;
    for _ in 0..2 {
        side.advance(6 * HOUR);
        let (_, answer) = browser
            .visit(async |session| session.rotate().await.expect("rotates"))
            .await;
        assert_eq!(age(&answer), None);
    }
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
    side.advance(12 * HOUR);
    assert_eq!(browser.user().await, None);
}

async fn a_rotation_in_the_same_request_does_not_either(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let (_, answer) = browser
        .visit(async |session: Session| {
            let login = Login::new("ada", 1).remember(false);
            session.login_with(login).await.expect("logs in");
            session.rotate().await.expect("rotates");
        })
        .await;
    assert_eq!(age(&answer), None);
}

/// Whoever proves with a second factor who they are did not ask to be remembered.
async fn a_login_that_says_nothing_goes_on_as_before(side: Side) {
    let mut browser = Browser::new(&side.layer());
    login(&mut browser, Login::new("ada", 1).remember(false)).await;
    let answer = login(&mut browser, Login::new("ada", 2)).await;
    assert_eq!(age(&answer), None);
    let answer = login(&mut browser, Login::new("ada", 2).remember(true)).await;
    assert!(age(&answer).is_some());
    let answer = Browser::new(&side.layer()).login("grace").await;
    assert!(age(&answer).is_some());
}

async fn a_login_may_say_how_long_and_no_longer_than_the_layer(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let lasting = |time| Login::new("ada", 1).absolute_timeout(time);
    let answer = login(&mut browser, lasting(7 * DAY)).await;
    assert_eq!(age(&answer), Some(7 * 24 * 3600));
    let answer = login(&mut browser, lasting(90 * DAY)).await;
    assert_eq!(age(&answer), Some(30 * 24 * 3600));
    let answer = login(&mut browser, lasting(2 * HOUR).remember(false)).await;
    assert_eq!(age(&answer), None);
    side.advance(2 * HOUR - Duration::from_secs(1));
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
    side.advance(Duration::from_secs(1));
    assert_eq!(browser.user().await, None);
    login(&mut browser, lasting(Duration::ZERO)).await;
    assert_eq!(
        browser.user().await.as_deref(),
        Some("ada"),
        "for a second at least"
    );
}

/// The mark is the client's own: without it the cookie is kept, and the session lives no longer for that.
async fn who_takes_the_mark_away_lives_no_longer(side: Side) {
    let mut browser = Browser::new(&side.layer());
    login(&mut browser, Login::new("ada", 1).remember(false)).await;
    let marked = browser.cookie.clone().expect("a cookie");
    browser.cookie = Some(marked.strip_suffix('~').expect("a mark").to_owned());
    let (_, answer) = browser
        .visit(async |session| session.rotate().await.expect("rotates"))
        .await;
    assert_eq!(age(&answer), Some(24 * 3600));
    browser.cookie = Some(format!("{marked}~"));
    assert_eq!(browser.user().await, None, "two marks are no ticket");
}

async fn signed_and_encrypted_cookies_carry_it_too(side: Side) {
    let cookie = SessionCookie::default().signed_with([[7; 64]]);
    for cookie in [cookie.clone(), cookie.encrypted()] {
        let layer = side.builder().transport(Transport::Cookie(cookie));
        let mut browser = Browser::new(&layer.build().expect("makes sense"));
        let answer = login(&mut browser, Login::new("ada", 1).remember(false)).await;
        assert_eq!(age(&answer), None);
        let (_, answer) = browser
            .visit(async |session| session.rotate().await.expect("rotates"))
            .await;
        assert_eq!(age(&answer), None);
        assert_eq!(browser.user().await.as_deref(), Some("ada"));
    }
}

on_both_stores!(
    who_is_remembered_is_so_as_long_as_a_session_can_be,
    who_is_not_is_forgotten_by_the_browser_and_after_a_day_by_the_server,
    a_rotation_makes_it_no_longer_nor_remembered,
    a_rotation_in_the_same_request_does_not_either,
    a_login_that_says_nothing_goes_on_as_before,
    a_login_may_say_how_long_and_no_longer_than_the_layer,
    who_takes_the_mark_away_lives_no_longer,
    signed_and_encrypted_cookies_carry_it_too,
);
