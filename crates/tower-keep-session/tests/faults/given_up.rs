//! A handler gives one step up (a time-out of its own), at every moment that there is, and goes on.

use tower_keep_session::Session;
use tower_keep_test_support::eventually;

use crate::{
    common::{Browser, LONG, Side, on_both_stores},
    trial::given_up,
};

/// Runs a job in handlers that give it up after ever more polls, until it is not given up any more. Each time, for
/// a user of its own with a cart; `check` is given the browser as the answer left it.
async fn at_every_moment(
    side: &Side,
    job: impl AsyncFn(Session),
    check: impl AsyncFn(Browser, Browser, &str),
) {
    for at_once in [true, false] {
        for polls in 1.. {
            assert!(polls < 500, "it comes to its end");
            let user = format!("user {at_once} {polls}");
            let mut browser = Browser::new(&side.layer());
            browser.login(&user).await;
            browser.set("cart", 1).await;
            let before = browser.clone();
            let (is_done, answer) = browser
                .visit(async |session: Session| {
                    session.set("noted", &1).expect("is noted");
                    given_up(job(session), polls, at_once).await.is_some()
                })
                .await;
            assert_eq!(answer.status(), 200);
            if is_done {
                break;
            }
            check(before, browser, &user).await;
        }
    }
}

async fn what_was_noted_before_is_stored_all_the_same(side: Side) {
    let add = async |session: Session| {
        session.increment("count", 1).await.expect("adds");
    };
    at_every_moment(&side, add, async |_, mut browser, user| {
        assert_eq!(browser.user().await.as_deref(), Some(user));
        assert_eq!(browser.get("noted").await, Some(1));
        assert!([None, Some(1)].contains(&browser.get("count").await));
    })
    .await;
}

async fn a_rotation_that_was_given_up_loses_nothing(side: Side) {
    let rotate = async |session: Session| session.rotate().await.expect("rotates");
    at_every_moment(&side, rotate, async |_, browser, user| {
        let all = async || {
            let mut browser = browser.clone();
            let (user_seen, cart) = (browser.user().await, browser.get("cart").await);
            let noted = browser.get("noted").await;
            user_seen.as_deref() == Some(user) && (cart, noted) == (Some(1), Some(1))
        };
        eventually(LONG, all).await;
        let sessions = side.layer().sessions();
        assert_eq!(sessions.list(user).await.expect("a list").len(), 1);
    })
    .await;
}

/// Whoever is told that the cookie is of no use any more may have been logged out, or be logged out by asking again.
async fn a_logout_that_was_given_up_can_be_asked_for_again(side: Side) {
    let logout = async |session: Session| session.logout().await.expect("logs out");
    at_every_moment(&side, logout, async |mut before, _, user| {
        let logout = async |session: Session| session.logout().await.expect("logs out");
        before.does(logout).await;
        let sessions = side.layer().sessions();
        assert_eq!(sessions.list(user).await.expect("a list"), []);
    })
    .await;
}

/// The user is somebody with a session, or nobody: never somebody else, and never two.
async fn a_login_that_was_given_up_is_there_or_not(side: Side) {
    let login = async |session: Session| {
        let user = session.user().expect("somebody");
        session.login(user, 2).await.expect("logs in");
    };
    at_every_moment(&side, login, async |_, mut browser, user| {
        let seen = browser.user().await;
        assert!(seen.is_none() || seen.as_deref() == Some(user), "{seen:?}");
        let sessions = side.layer().sessions();
        assert_eq!(sessions.list(user).await.expect("a list").len(), 1);
    })
    .await;
}

on_both_stores!(
    what_was_noted_before_is_stored_all_the_same,
    a_rotation_that_was_given_up_loses_nothing,
    a_logout_that_was_given_up_can_be_asked_for_again,
    a_login_that_was_given_up_is_there_or_not,
);
