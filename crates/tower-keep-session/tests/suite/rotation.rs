//! A session under a new ticket: the old one leads to it for a while, and is then a sign of theft.

use std::time::Duration;

use tokio::sync::Barrier;
use tower_keep_session::{Session, SessionError};
use tower_keep_test_support::{Gate, eventually};

use crate::common::{Browser, LONG, Side, fields, on_both_stores};

async fn rotate(session: Session) {
    session.rotate().await.expect("rotates");
}

async fn logged_in(side: &Side) -> Browser {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    browser.set("cart", 1).await;
    browser
}

/// The client comes with its new ticket: the old one's grace begins.
async fn is_told(side: &Side, browser: &mut Browser) {
    browser.user().await;
    if side.server().is_some() {
        let key = side.session();
        let is_settled = async || side.held(&key, "@p").is_none();
        eventually(LONG, is_settled).await;
    }
}

/// One request is between loading and `job` while another rotates.
async fn while_another_rotates<R>(browser: &mut Browser, job: impl AsyncFnOnce(Session) -> R) -> R {
    let gate = Gate::closed();
    let mut other = browser.clone();
    let waiting = other.visit(async |session| {
        gate.pass().await;
        job(session).await
    });
    let then = async {
        eventually(LONG, async || gate.waiters() == 1).await;
        browser.does(rotate).await;
        gate.open();
    };
    tokio::join!(waiting, then).0.0
}

async fn everything_goes_on_under_the_new_ticket(side: Side) {
    let mut browser = logged_in(&side).await;
    let all = async |session: Session| (session.user(), session.level(), session.created());
    let before = (browser.does(all).await, browser.cookie.clone());
    side.advance(Duration::from_secs(60));
    browser.does(rotate).await;
    assert_ne!(browser.cookie, before.1);
    assert_eq!(browser.does(all).await, before.0);
    assert_eq!(browser.get("cart").await, Some(1));
}

async fn the_old_ticket_leads_there_for_its_grace_and_gets_no_cookie(side: Side) {
    let mut browser = logged_in(&side).await;
    let mut old = browser.clone();
    browser.does(rotate).await;
    browser.does(rotate).await;
    side.advance(Duration::from_secs(9));
    let answer = old.set("late", 2).await;
    assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
    assert_eq!(old.user().await.as_deref(), Some("ada"));
    assert_eq!(browser.get("late").await, Some(2));
}

async fn after_its_grace_the_old_ticket_is_of_no_use_and_counted(side: Side) {
    let mut browser = logged_in(&side).await;
    let layer = side.layer();
    let mut old = browser.at(&layer);
    browser.does(rotate).await;
    is_told(&side, &mut browser).await;
    side.advance(Duration::from_secs(11));
    assert_eq!(old.user().await, None);
    let answer = old.set("late", 2).await;
    assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
    assert_eq!(browser.get("late").await, None);
    assert_eq!(layer.stats().ended, 2);
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
}

async fn without_grace_the_old_ticket_is_of_no_use_at_once(side: Side) {
    let builder = side.builder().rotation_grace(Duration::ZERO);
    let layer = builder.build().expect("makes sense");
    let mut browser = Browser::new(&layer);
    browser.login("ada").await;
    let mut old = browser.clone();
    browser.does(rotate).await;
    assert_eq!(old.user().await, None);
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
}

async fn what_others_write_meanwhile_is_not_lost(side: Side) {
    let mut browser = logged_in(&side).await;
    let write = async |session: Session| {
        session.set("late", &1).expect("is noted");
        session.increment("count", 5).await.expect("adds")
    };
    assert_eq!(while_another_rotates(&mut browser, write).await, 5);
    assert_eq!(browser.get("late").await, Some(1));
    assert_eq!(browser.get("count").await, Some(5));
}

async fn a_logout_meanwhile_ends_it_under_the_new_ticket_too(side: Side) {
    let mut browser = logged_in(&side).await;
    let logout = async |session: Session| session.logout().await.expect("logs out");
    while_another_rotates(&mut browser, logout).await;
    assert_eq!(browser.user().await, None);
    let sessions = side.layer().sessions();
    assert_eq!(sessions.list("ada").await.expect("a list"), []);
}

async fn a_login_meanwhile_leaves_no_second_session(side: Side) {
    let mut browser = logged_in(&side).await;
    let login = async |session: Session| session.login("ada", 2).await.expect("logs in");
    while_another_rotates(&mut browser, login).await;
    assert_eq!(
        browser.user().await,
        None,
        "the ticket of the rotation is of no use"
    );
    let sessions = side.layer().sessions();
    assert_eq!(sessions.list("ada").await.expect("a list").len(), 1);
}

async fn of_several_at_once_one_gives_a_new_ticket_and_none_fails(side: Side) {
    let browser = logged_in(&side).await;
    let all = Barrier::new(4);
    let rotates = async || {
        let mut browser = browser.at(&side.layer());
        let job = async |session: Session| {
            all.wait().await;
            session.set("late", &1).expect("is noted");
            session.rotate().await.expect("rotates, or was");
        };
        let (_, answer) = browser.visit(job).await;
        let user = browser.user().await;
        (fields(&answer, "set-cookie").len(), user)
    };
    let results = tokio::join!(rotates(), rotates(), rotates(), rotates());
    let results = [results.0, results.1, results.2, results.3];
    assert_eq!(results.iter().map(|(cookies, _)| cookies).sum::<usize>(), 1);
    assert!(
        results
            .iter()
            .all(|(_, user)| user.as_deref() == Some("ada"))
    );
}

async fn what_is_not_there_is_not_rotated(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let (result, answer) = browser.visit(async |session| session.rotate().await).await;
    assert!(matches!(result, Err(SessionError::Ended)), "{result:?}");
    assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
}

/// The request that logs in says what the device is called; others do not.
async fn a_rotation_leaves_a_device_its_name(side: Side) {
    let label = |head: &http::request::Parts| {
        let name = head.headers.get("x-device");
        name.map_or_else(String::new, |name| name.to_str().expect("text").to_owned())
    };
    let layer = side.builder().device_label(label).build();
    let layer = layer.expect("makes sense");
    let mut browser = Browser::new(&layer);
    browser
        .headers
        .insert("x-device", "phone".parse().expect("text"));
    browser.login("ada").await;
    browser.headers.clear();
    browser
        .does(async |session| session.rotate().await.expect("rotates"))
        .await;
    let devices = layer.sessions().list("ada").await.expect("a list");
    assert_eq!(devices[0].label(), "phone");
}

/// The operator lowers the cap. A rotation begins no further session.
async fn a_lower_cap_refuses_no_rotation(side: Side) {
    let mut browsers: Vec<_> = (0..3).map(|_| Browser::new(&side.layer())).collect();
    for browser in &mut browsers {
        browser.login("ada").await;
    }
    let builder = side.builder().sessions_per_user(2);
    let layer = builder.refuse_further_sessions().build();
    let mut browser = browsers[0].at(&layer.expect("makes sense"));
    let rotated = browser.does(async |session| session.rotate().await).await;
    assert!(rotated.is_ok(), "{rotated:?}");
}

on_both_stores!(
    everything_goes_on_under_the_new_ticket,
    the_old_ticket_leads_there_for_its_grace_and_gets_no_cookie,
    after_its_grace_the_old_ticket_is_of_no_use_and_counted,
    without_grace_the_old_ticket_is_of_no_use_at_once,
    what_others_write_meanwhile_is_not_lost,
    a_logout_meanwhile_ends_it_under_the_new_ticket_too,
    a_login_meanwhile_leaves_no_second_session,
    of_several_at_once_one_gives_a_new_ticket_and_none_fails,
    what_is_not_there_is_not_rotated,
    a_rotation_leaves_a_device_its_name,
    a_lower_cap_refuses_no_rotation,
);
