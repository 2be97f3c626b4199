//! Loads of sessions, heard by whoever observes the store.

use std::sync::{Arc, Mutex};

use tower_keep_session::SessionLayer;
use tower_keep_store::{Lookup, LookupKind, Observer, Outcome, Store};

use crate::common::{Browser, Side, on_both_stores};

#[derive(Default)]
struct Heard(Mutex<Vec<Outcome>>);

impl Observer for Heard {
    fn observe(&self, lookup: &Lookup<'_>) {
        assert_eq!(
            (lookup.kind, lookup.class),
            (LookupKind::Sessions, "sessions")
        );
        assert_eq!(
            (lookup.told.origin_calls, lookup.told.origin_time),
            (0, None)
        );
        let mut heard = self.0.lock().expect("nobody panicked");
        heard.push(lookup.told.outcome);
    }
}

impl Heard {
    fn of(store: &Store) -> Arc<Self> {
        let heard = Arc::new(Self::default());
        let observer: Arc<dyn Observer> = heard.clone();
        store.observe(&observer);
        heard
    }

    fn take(&self) -> Vec<Outcome> {
        std::mem::take(&mut *self.0.lock().expect("nobody panicked"))
    }
}

async fn a_load_that_finds_a_session_is_a_hit_and_one_that_does_not_a_miss(side: Side) {
    let store = side.store();
    let heard = Heard::of(&store);
    let mut browser = Browser::new(&SessionLayer::new(store));
    assert_eq!(browser.user().await, None);
    assert_eq!(heard.take(), [], "without a ticket nothing is looked up");
    browser.login("ada").await;
    let mut left = browser.clone();
    heard.take();
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
    assert_eq!(heard.take(), [Outcome::Hit]);
    browser
        .does(async |session| session.flush().await.expect("ends"))
        .await;
    heard.take();
    assert_eq!(left.user().await, None);
    assert_eq!(heard.take(), [Outcome::Miss]);
}

on_both_stores!(a_load_that_finds_a_session_is_a_hit_and_one_that_does_not_a_miss);

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_the_store_does_not_answer_is_an_error() {
    let mut side = Side::redis();
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    let url = side.server().expect("the side with a server").url();
    let store = Store::builder().deadline(std::time::Duration::from_millis(200));
    let store = store.connect(&url).expect("a good URL");
    let heard = Heard::of(&store);
    let mut browser = browser.at(&SessionLayer::new(store));
    side.server_mut().kill();
    browser
        .handled(async |handle| (handle.load().await.is_ok(), Default::default()))
        .await;
    assert_eq!(heard.take(), [Outcome::Error]);
}
