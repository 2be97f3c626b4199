//! A client leaves, at every moment that there is: what it asked for happens as a whole, or not at all.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use tokio::task::yield_now;
use tower_keep_session::{Session, SessionLayer};
use tower_keep_test_support::{Reply, eventually};

use crate::common::{Browser, LONG, Side, on_both_stores};

/// Polls a future so often, and drops it: at once, or when it would be polled again, so that what it waits for is
/// there and not seen. What it came to if it needs less.
pub(crate) async fn given_up<F: Future>(
    future: F,
    polls: usize,
    at_once: bool,
) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polled = 0;
    poll_fn(|context| {
        if polled == polls {
            return Poll::Ready(None);
        }
        polled += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if at_once && polled == polls => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// One client whose request is given up at one moment.
struct Trial {
    layer: SessionLayer,
    browser: Browser,
    user: String,
}

impl Trial {
    async fn of(side: &Side, user: String, is_known: bool) -> Self {
        let layer = side.layer();
        let mut browser = Browser::new(&layer);
        if is_known {
            browser.login(&user).await;
        }
        browser.set("cart", 1).await;
        Self {
            layer,
            browser,
            user,
        }
    }

    /// Whether the ticket of before leads to the user, what it finds in the cart, and the sessions that the user has.
    async fn seen(&self) -> (bool, Option<i64>, usize) {
        let mut browser = self.browser.clone();
        let listed = self.layer.sessions().list(&self.user).await;
        let is_known = browser.user().await.is_some();
        (
            is_known,
            browser.get("cart").await,
            listed.expect("a list").len(),
        )
    }

    /// Sooner or later it is one of these, and stays so.
    async fn becomes(&self, allowed: &[(bool, Option<i64>, usize)]) {
        let is_allowed = async || allowed.contains(&self.seen().await);
        eventually(LONG, is_allowed).await;
        yield_now().await;
        eventually(LONG, is_allowed).await;
    }
}

/// Tries a job at every moment; `check` looks what became of it.
async fn at_every_moment(
    side: &Side,
    is_known: bool,
    job: impl AsyncFn(Session, String),
    check: impl AsyncFn(Trial),
) {
    for at_once in [true, false] {
        let mut trials = 0;
        loop {
            let user = format!("user {at_once} {trials}");
            let trial = Trial::of(side, user.clone(), is_known).await;
            trials += 1;
            let mut client = trial.browser.clone();
            let visit = client.visit(async |session| {
                yield_now().await;
                job(session, user).await;
                yield_now().await;
            });
            let is_done = given_up(visit, trials, at_once).await.is_some();
            if is_done {
                break;
            }
            check(trial).await;
            assert!(trials < 500, "it comes to its end");
        }
        assert!(trials > 2, "it waits somewhere");
    }
    for key in side.server().map(|_| side.keys()).unwrap_or_default() {
        assert!(side.lives(&key) > 0, "{key} has an end");
    }
    let mut next = Browser::new(&side.layer());
    next.login("next").await;
    assert_eq!(next.user().await.as_deref(), Some("next"));
}

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
        for _ in 0..3 {
            assert_eq!(trial.seen().await, (true, Some(1), 1));
        }
    })
    .await;
}

async fn a_rotation_by_time_changes_nothing_either(side: Side) {
    let hour = std::time::Duration::from_secs(3600);
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
    let live = |key: &String| side.command(&["HEXISTS", key, "@a"]) == Reply::Integer(1);
    assert!(side.sessions().iter().filter(|key| live(key)).count() <= 3);
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
