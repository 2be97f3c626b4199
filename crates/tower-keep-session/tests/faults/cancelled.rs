//! A client leaves, at every moment that there is: what it asked for happens as a whole, or not at all.

use std::time::Duration;

use tower_keep_session::Session;
use tower_keep_test_support::eventually;

use crate::{
    common::{Browser, LONG, Side, on_both_stores},
    trial::{at_every_moment, given_up},
};

/// After the grace of a rotation.
const AFTER_GRACE: Duration = Duration::from_secs(11);

async fn a_login_happens_as_a_whole_or_not_at_all(side: Side) {
    let login = async |session: Session, user: String| {
        session.set("cart", &2).expect("is noted");
        session.login(user, 1).await.expect("logs in");
    };
    at_every_moment(&side, false, login, async |trial| {
        // It went on under a ticket of which nobody was told, or as it was.
        trial
            .becomes(&[(false, Some(1), 0), (false, None, 1)])
            .await;
    })
    .await;
}

async fn a_login_again_leaves_one_session(side: Side) {
    let login = async |session: Session, user: String| {
        session.login(user, 2).await.expect("logs in");
    };
    at_every_moment(&side, true, login, async |trial| {
        trial.becomes(&[(true, Some(1), 1), (false, None, 1)]).await;
    })
    .await;
}

async fn a_rotation_changes_nothing_for_its_client(side: Side) {
    let rotate = async |session: Session, _| session.rotate().await.expect("rotates");
    at_every_moment(&side, true, rotate, async |trial| {
        assert_eq!(trial.seen().await.2, 1);
        let mut browser = trial.browser;
        for _ in 0..3 {
            assert!(browser.user().await.is_some());
            side.advance(AFTER_GRACE);
        }
        assert_eq!(browser.get("cart").await, Some(1));
    })
    .await;
}

async fn a_rotation_by_time_changes_nothing_either(side: Side) {
    let hour = Duration::from_secs(3600);
    for polls in 1.. {
        assert!(polls < 500, "it comes to its end");
        let layer = side.builder().rotate_every(hour).build();
        let layer = layer.expect("makes sense");
        let mut browser = Browser::new(&layer);
        browser.login("ada").await;
        browser.set("cart", 1).await;
        side.advance(hour);
        let mut client = browser.clone();
        let visit = client.visit(async |session: Session| session.set("cart", &2));
        if given_up(visit, polls, false).await.is_some() {
            break;
        }
        side.advance(AFTER_GRACE);
        assert_eq!(browser.user().await.as_deref(), Some("ada"));
        let cart = browser.get("cart").await.expect("a cart");
        assert!([1, 2].contains(&cart));
        let logout = async |session: Session| session.logout().await.expect("logs out");
        browser.does(logout).await;
        assert_eq!(browser.user().await, None);
    }
}

async fn a_logout_happens_or_does_not(side: Side) {
    let logout = async |session: Session, _| session.logout().await.expect("logs out");
    at_every_moment(&side, true, logout, async |trial| {
        trial.becomes(&[(true, Some(1), 1), (false, None, 0)]).await;
        // Whoever asks again is logged out.
        let mut browser = trial.browser.clone();
        let logout = async |session: Session| session.logout().await.expect("logs out");
        browser.does(logout).await;
        assert_eq!(trial.seen().await, (false, None, 0));
    })
    .await;
}

async fn a_logout_everywhere_happens_or_does_not(side: Side) {
    let out = async |session: Session, _| session.logout_everywhere().await.expect("logs out");
    at_every_moment(&side, true, out, async |trial| {
        trial.becomes(&[(true, Some(1), 1), (false, None, 0)]).await;
    })
    .await;
}

async fn what_was_noted_is_stored_as_a_whole_or_not_at_all(side: Side) {
    let write = async |session: Session, _| {
        session.set("cart", &2).expect("is noted");
        session.set("other", &2).expect("is noted");
    };
    at_every_moment(&side, true, write, async |trial| {
        let mut browser = trial.browser.clone();
        let both = async |session: Session| {
            let get = |name| session.get::<i64>(name).expect("a number");
            (get("cart"), get("other"))
        };
        let seen = browser.does(both).await;
        assert!(
            [(Some(1), None), (Some(2), Some(2))].contains(&seen),
            "{seen:?}"
        );
    })
    .await;
}

/// What is done at once is done once, and what was noted before goes first.
async fn what_is_done_at_once_is_done_once_at_the_most(side: Side) {
    let job = async |session: Session, _| {
        session.set("noted", &1).expect("is noted");
        session.increment("count", 1).await.expect("adds");
        let _cart = session.take::<i64>("cart").await.expect("takes");
        let update = |value: Option<i64>| Some(value.unwrap_or_default() + 1);
        session.update("sum", update).await.expect("updates");
    };
    let order = ["noted", "count", "cart", "sum"];
    at_every_moment(&side, true, job, async |trial| {
        let mut browser = trial.browser.clone();
        let done = async |session: Session| {
            let get = |name| session.get::<i64>(name).expect("a number");
            let [noted, count, cart, sum] = order.map(get);
            [
                noted == Some(1),
                count == Some(1),
                cart.is_none(),
                sum == Some(1),
            ]
        };
        let done = browser.does(done).await;
        let steps = done.iter().take_while(|is_done| **is_done).count();
        assert!(!done[steps..].contains(&true), "in their order: {done:?}");
    })
    .await;
}

/// The peers leave a session behind for each client that leaves; here it has an end, and counts under the cap.
#[tokio::test(flavor = "multi_thread")]
async fn logins_of_which_nobody_was_told_end_by_themselves_and_count_under_the_cap() {
    let side = Side::redis();
    let layer = side.builder().sessions_per_user(3).build();
    let layer = layer.expect("makes sense");
    for polls in 1..500 {
        let mut client = Browser::new(&layer);
        let login = client.visit(async |session: Session| session.login("ada", 1).await);
        if given_up(login, polls, true).await.is_some() {
            break;
        }
    }
    let most = async || layer.sessions().list("ada").await.expect("a list").len() <= 3;
    eventually(LONG, most).await;
    let mut live = side.sessions();
    live.retain(|key| !side.is_tombstone(key));
    assert!(live.len() <= 3, "{live:?}");
}

on_both_stores!(
    a_login_happens_as_a_whole_or_not_at_all,
    a_login_again_leaves_one_session,
    a_rotation_changes_nothing_for_its_client,
    a_rotation_by_time_changes_nothing_either,
    a_logout_happens_or_does_not,
    a_logout_everywhere_happens_or_does_not,
    what_was_noted_is_stored_as_a_whole_or_not_at_all,
    what_is_done_at_once_is_done_once_at_the_most,
);
