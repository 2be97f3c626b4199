//! Clients that do not take the new ticket that they are given, again and again.

use std::time::Duration;

use futures_util::future::join_all;
use tower_keep_session::Session;
use tower_keep_test_support::{Random, eventually, seed};

use crate::common::{Browser, LONG, Side, on_both_stores};

const AFTER_GRACE: Duration = Duration::from_secs(11);
const HOUR: Duration = Duration::from_secs(3600);

async fn rotate(session: Session) {
    session.rotate().await.expect("rotates");
}

async fn such_a_client_is_led_on_as_long_as_it_comes(side: Side) {
    let layer = side.builder().idle_timeout(2 * HOUR).build();
    let mut browser = Browser::new(&layer.expect("makes sense"));
    browser.login("ada").await;
    let cookie = browser.cookie.clone();
    browser.does(rotate).await;
    for i in 0..10 {
        side.advance(HOUR / 2);
        browser.cookie = cookie.clone();
        assert_eq!(browser.user().await.as_deref(), Some("ada"), "{i}");
    }
    side.advance(2 * HOUR);
    assert_eq!(browser.user().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn such_a_client_costs_no_more_each_time() {
    let side = Side::redis();
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    let cookie = browser.cookie.clone();
    browser.does(rotate).await;
    let server = side.server().expect("the side with a server");
    for _ in 0..10 {
        side.advance(AFTER_GRACE);
        browser.cookie = cookie.clone();
        server.reset_stats();
        assert_eq!(browser.user().await.as_deref(), Some("ada"));
        assert_eq!(server.command_stats()["mget"], 2, "where it led, and there");
    }
}

/// Whichever of the answers comes last.
async fn each_ticket_on_the_way_leads_on(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    let first = browser.cookie.clone();
    browser.does(rotate).await;
    let mut tickets = vec![first.clone(), browser.cookie.clone()];
    for _ in 0..4 {
        side.advance(AFTER_GRACE);
        browser.cookie = first.clone();
        browser.set("n", 7).await;
        tickets.push(browser.cookie.clone());
    }
    for cookie in &tickets[..5] {
        side.advance(AFTER_GRACE);
        browser.cookie = cookie.clone();
        assert_eq!(browser.get("n").await, Some(7));
    }
}

/// Once the last one was used, all others are old.
async fn the_use_of_the_last_ticket_ends_all_others(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    let first = browser.cookie.clone();
    browser.does(rotate).await;
    let mut old = vec![first.clone(), browser.cookie.clone()];
    for _ in 0..3 {
        side.advance(AFTER_GRACE);
        browser.cookie = first.clone();
        browser.user().await;
        old.push(browser.cookie.clone());
    }
    old.pop();
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
    if side.server().is_some() {
        let key = side.session();
        let is_told = async || side.held(&key, "@p").is_none();
        eventually(LONG, is_told).await;
    }
    side.advance(AFTER_GRACE);
    let mut other = browser.clone();
    for cookie in old {
        other.cookie = cookie;
        assert_eq!(other.user().await, None);
    }
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
}

/// All in one request: the session that begins is not the one to which the old ticket led.
async fn no_old_ticket_leads_to_a_session_that_began_after_a_logout(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    let mut old = browser.clone();
    browser.does(rotate).await;
    let mut thief = old.clone();
    let again = async |session: Session| {
        session.logout().await.expect("logs out");
        session.login("ada", 1).await.expect("logs in");
        session.rotate().await.expect("rotates");
    };
    old.does(again).await;
    assert_eq!(old.user().await.as_deref(), Some("ada"));
    assert_eq!(thief.user().await, None);
}

/// Four requests at a time, some of which rotate; the browser keeps any of the tickets that it is given.
async fn whichever_ticket_a_browser_keeps_it_loses_nothing_before_its_logout(side: Side) {
    let mut random = Random::new(seed());
    let layers = [side.layer(), side.layer()];
    let mut browser = Browser::new(&layers[0]);
    browser.login("ada").await;
    let mut given = vec![browser.cookie.clone()];
    for wave in 0..25_usize {
        let rotates: Vec<_> = (0..4).map(|_| random.below(3) == 0).collect();
        let requests = rotates.into_iter().enumerate().map(|(i, rotates)| {
            let mut browser = browser.at(&layers[i % 2]);
            async move {
                let job = async |session: Session| {
                    session.set(&format!("{wave} {i}"), &1).expect("is noted");
                    if rotates {
                        session.rotate().await.expect("rotates, or was");
                    }
                    session.user()
                };
                assert_eq!(browser.does(job).await.as_deref(), Some("ada"));
                browser.cookie
            }
        });
        let mut cookies = join_all(requests).await;
        cookies.retain(|cookie| !given.contains(cookie));
        given.extend(cookies.iter().cloned());
        if !cookies.is_empty() {
            browser.cookie = cookies.swap_remove(random.index(cookies.len()));
        }
        let pauses = [1, 9, 11, 400].map(Duration::from_secs);
        side.advance(random.pick(&pauses));
    }
    let names = async |session: Session| session.names().len();
    assert_eq!(browser.does(names).await, 100);
    let logout = async |session: Session| session.logout().await.expect("logs out");
    browser.does(logout).await;
    for cookie in given {
        browser.cookie = cookie;
        assert_eq!(browser.user().await, None);
    }
}

on_both_stores!(
    whichever_ticket_a_browser_keeps_it_loses_nothing_before_its_logout,
    no_old_ticket_leads_to_a_session_that_began_after_a_logout,
    such_a_client_is_led_on_as_long_as_it_comes,
    each_ticket_on_the_way_leads_on,
    the_use_of_the_last_ticket_ends_all_others,
);
