//! Sessions that end while requests are under way, in an order that chance decides.

use futures_util::future::join_all;
use tower_keep_session::Session;
use tower_keep_test_support::{Random, seed};

use crate::common::{Browser, Side, on_both_stores};

/// Whatever chance decides, nothing is left of a session once its logout was answered.
async fn no_schedule_brings_a_session_back(side: Side) {
    let mut random = Random::new(seed());
    let layers = [side.layer(), side.layer()];
    for _ in 0..30 {
        let mut browser = Browser::new(&layers[0]);
        browser.login("ada").await;
        let requests: Vec<_> = (0..6)
            .map(|i| (i, random.index(2), random.few(6), random.few(6)))
            .collect();
        let work = requests.iter().map(|&(i, at, before, after)| {
            let mut browser = browser.at(&layers[at]);
            async move {
                pause(before).await;
                let job = async |session: Session| {
                    pause(after).await;
                    if i == 0 {
                        session.logout().await.expect("logs out");
                        return;
                    }
                    session.set("value", &i).expect("is noted");
                    let _sum_or_ended = session.increment("count", 1).await;
                };
                browser.does(job).await;
                (i, browser.cookie)
            }
        });
        for (i, cookie) in join_all(work).await {
            let is_kept = cookie == browser.cookie;
            assert_eq!(is_kept, i != 0, "only the logout touches the cookie");
        }
        assert_eq!(browser.user().await, None);
        assert_eq!(browser.get("count").await, None);
    }
}

async fn of_two_logins_at_once_each_has_its_own_session(side: Side) {
    let layers = [side.layer(), side.layer()];
    let mut start = Browser::new(&layers[0]);
    start.set("cart", 3).await;
    let (mut first, mut second) = (start.at(&layers[0]), start.at(&layers[1]));
    tokio::join!(first.login("ada"), second.login("grace"));
    assert_ne!(first.cookie, second.cookie);
    assert_eq!(first.user().await.as_deref(), Some("ada"));
    assert_eq!(second.user().await.as_deref(), Some("grace"));
    assert_eq!(start.user().await, None);
    // What the anonymous one held went to one of them, not to both.
    let carts = [first.get("cart").await, second.get("cart").await];
    assert_eq!(carts.iter().flatten().count(), 1, "{carts:?}");
}

/// The one that stays is there at every moment, for all that look.
async fn while_all_others_end_nobody_misses_the_one_that_stays(side: Side) {
    let layers = [side.layer(), side.layer()];
    let mut browser = Browser::new(&layers[0]);
    browser.login("ada").await;
    for _ in 0..20 {
        Browser::new(&layers[1]).login("ada").await;
        let looks = (0..8).map(|i| {
            let mut browser = browser.at(&layers[i % 2]);
            async move {
                let mut users = Vec::new();
                for _ in 0..4 {
                    users.push(browser.user().await);
                }
                users
            }
        });
        let end = async |session: Session| session.revoke_others().await.expect("revokes");
        let mut same = browser.clone();
        let (users, ()) = tokio::join!(join_all(looks), same.does(end));
        let is_there = |user: &Option<String>| user.as_deref() == Some("ada");
        assert!(users.iter().flatten().all(is_there), "{users:?}");
    }
}

async fn pause(turns: u32) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

on_both_stores!(
    no_schedule_brings_a_session_back,
    of_two_logins_at_once_each_has_its_own_session,
    while_all_others_end_nobody_misses_the_one_that_stays,
);
