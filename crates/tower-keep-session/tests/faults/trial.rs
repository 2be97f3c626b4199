//! Requests that are given up, at one moment after the other.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use tokio::task::yield_now;
use tower_keep_session::{Session, SessionLayer};
use tower_keep_test_support::eventually;

use crate::common::{Browser, LONG, Side};

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
pub(crate) struct Trial {
    layer: SessionLayer,
    pub(crate) browser: Browser,
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
    pub(crate) async fn seen(&self) -> (bool, Option<i64>, usize) {
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
    pub(crate) async fn becomes(&self, allowed: &[(bool, Option<i64>, usize)]) {
        let is_allowed = async || allowed.contains(&self.seen().await);
        eventually(LONG, is_allowed).await;
        yield_now().await;
        eventually(LONG, is_allowed).await;
    }
}

/// Tries a job at every moment; `check` looks what became of it.
pub(crate) async fn at_every_moment(
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
