//! The store fails: that is never "no session".

use std::time::Duration;

use http::StatusCode;
use tower_keep_session::{Session, SessionError, SessionLayer};
use tower_keep_store::Store;
use tower_keep_test_support::eventually;

use crate::common::{Answer, Browser, LONG, Side, Wire, fields};

/// A layer that does not wait long, on a server with one session.
pub(crate) async fn hasty(side: &Side) -> (SessionLayer, Browser) {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    browser.set("a", 1).await;
    let url = side.server().expect("the side with a server").url();
    let store = Store::builder().deadline(Duration::from_millis(200));
    let store = store.connect(&url).expect("a good URL");
    eventually(LONG, async || store.ping().await.is_ok()).await;
    let layer = SessionLayer::new(store);
    let browser = browser.at(&layer);
    (layer, browser)
}

/// As the extractor of axum does it.
pub(crate) async fn asks(browser: &mut Browser) -> (Option<Option<String>>, Answer) {
    browser
        .handled(async |handle| match handle.load().await {
            Ok(session) => (Some(session.user()), Wire::default()),
            Err(error) => {
                assert!(matches!(error, SessionError::Store(_)), "{error:?}");
                let mut response = Wire::default();
                *response.status_mut() = error.status();
                (None, response)
            }
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_or_hangs_is_a_503_and_keeps_the_cookie() {
    for hangs in [false, true] {
        let mut side = Side::redis();
        let (_, mut browser) = hasty(&side).await;
        let cookie = browser.cookie.clone();
        if hangs {
            side.server_mut().pause();
        } else {
            side.server_mut().kill();
        }
        for _ in 0..8 {
            let (seen, answer) = asks(&mut browser).await;
            assert_eq!(seen, None);
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
        }
        assert_eq!(browser.cookie, cookie);
        let mut bare = browser.clone();
        bare.cookie = None;
        assert_eq!(
            asks(&mut bare).await.0,
            Some(None),
            "without a ticket nobody asks"
        );
        if hangs {
            side.server_mut().resume();
            eventually(LONG, async || {
                asks(&mut browser.clone()).await.0 == Some(Some("ada".to_owned()))
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_may_go_on_without_a_session_that_can_then_only_be_read() {
    let mut side = Side::redis();
    let (layer, browser) = hasty(&side).await;
    let mut browser = browser.at(&layer.allow_anonymous_on_failure());
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
    assert!(!browser.does(async |session| session.is_read_only()).await);
    side.server_mut().kill();
    let cookie = browser.cookie.clone();
    let (_, answer) = browser
        .visit(async |session: Session| {
            assert!(session.is_read_only());
            assert_eq!(session.user(), None);
            assert_eq!(session.get::<i64>("a").expect("nothing"), None);
            assert_eq!(session.take::<i64>("flash").await.expect("nothing"), None);
            let results = [
                session.set("a", &2),
                session.increment("a", 1).await.map(drop),
                session
                    .update("a", |_: Option<i64>| Some(1))
                    .await
                    .map(drop),
                session.login("mallory", 1).await,
            ];
            for result in results {
                assert!(matches!(result, Err(SessionError::ReadOnly)), "{result:?}");
            }
        })
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
    assert_eq!(browser.cookie, cookie);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_while_nothing_is_known_is_no_success_but_takes_the_cookie() {
    let mut side = Side::redis();
    let (layer, browser) = hasty(&side).await;
    side.server_mut().kill();
    let mut browser = browser.at(&layer.allow_anonymous_on_failure());
    let result = browser.does(async |session| session.logout().await).await;
    assert!(matches!(result, Err(SessionError::Store(_))), "{result:?}");
    assert_eq!(browser.cookie, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_of_what_could_not_be_read_ends_it_if_the_store_is_back() {
    let mut side = Side::redis();
    let (layer, browser) = hasty(&side).await;
    let mut before = browser.clone();
    let mut browser = browser.at(&layer.allow_anonymous_on_failure());
    side.server_mut().pause();
    let result = browser
        .does(async |session: Session| {
            assert!(session.is_read_only());
            side.server_mut().resume();
            eventually(LONG, async || asks(&mut before.clone()).await.0.is_some()).await;
            session.logout().await
        })
        .await;
    result.expect("logs out");
    assert_eq!(before.user().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_stored_is_a_503_in_the_place_of_the_answer() {
    let mut side = Side::redis();
    let (_, mut browser) = hasty(&side).await;
    let (_, answer) = browser
        .visit(async |session: Session| {
            session.set("a", &2).expect("is noted");
            side.server_mut().kill();
            // The handler goes on, whatever became of this.
            let _failed = session.increment("count", 1).await;
        })
        .await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(fields(&answer, "retry-after"), ["1"]);
    assert_eq!(fields(&answer, "cache-control"), ["no-store"]);
    assert_eq!(
        fields(&answer, "content-type"),
        ["application/problem+json"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_of_which_nobody_knows_what_became_is_counted_and_whole() {
    let mut side = Side::redis();
    let (layer, mut browser) = hasty(&side).await;
    let (_, answer) = browser
        .visit(async |session: Session| {
            session.set("a", &2).expect("is noted");
            session.set("b", &2).expect("is noted");
            side.server_mut().pause();
        })
        .await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(layer.stats().unsure, 1);
    side.server_mut().resume();
    eventually(LONG, async || asks(&mut browser.clone()).await.0.is_some()).await;
    let values = (browser.get("a").await, browser.get("b").await);
    let (before, after) = ((Some(1), None), (Some(2), Some(2)));
    assert!(values == before || values == after, "{values:?}");
}
