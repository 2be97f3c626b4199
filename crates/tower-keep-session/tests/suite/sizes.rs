//! A session holds so much, and no more.

use tower_keep_session::{Session, SessionError};

use crate::common::{Browser, Side, on_both_stores};

async fn small(side: &Side, bytes: usize) -> Browser {
    let layer = side.builder().size_limit(bytes).build();
    Browser::new(&layer.expect("makes sense"))
}

fn is_too_large<T>(result: &Result<T, SessionError>) -> bool {
    matches!(result, Err(SessionError::TooLarge))
}

async fn what_would_be_too_large_is_refused_at_once_and_changes_nothing(side: Side) {
    let mut browser = small(&side, 10).await;
    browser.set("a", 12345).await;
    let grow = async |session: Session| {
        let set = session.set("b", &12345);
        assert!(is_too_large(&set), "{set:?}");
        let update = session.update("a", |_: Option<i64>| Some(i64::MAX)).await;
        assert!(is_too_large(&update), "{update:?}");
        let name = "n".repeat(10);
        let add = session.increment(&name, 1).await;
        assert!(is_too_large(&add), "{add:?}");
        session.set("b", &123).expect("there is room for that");
    };
    browser.does(grow).await;
    let names = async |session: Session| session.names();
    assert_eq!(browser.does(names).await, ["a", "b"]);
    assert_eq!(browser.get("a").await, Some(12345));
}

/// What each of two requests adds has room, but not what both add.
async fn two_at_once_do_not_go_beyond_it_together(side: Side) {
    let mut browser = small(&side, 20).await;
    browser.set("a", 1).await;
    let mut other = browser.clone();
    let (_, answer) = browser
        .visit(async |session: Session| {
            session.set("b", &1_234_567_890).expect("is noted");
            other.set("c", 1_234_567_890).await;
        })
        .await;
    assert_eq!(answer.status(), http::StatusCode::PAYLOAD_TOO_LARGE);
    let names = async |session: Session| session.names();
    assert_eq!(browser.does(names).await, ["a", "c"]);
}

/// The limit was lowered: such sessions can still become smaller, be renewed, and above all end.
async fn what_is_too_large_already_can_shrink_and_end(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    browser.set("a", 1_234_567_890).await;
    browser.set("b", 1_234_567_890).await;
    let layer = side.builder().size_limit(5).build().expect("makes sense");
    let mut browser = browser.at(&layer);
    let add = browser.does(async |session| session.set("c", &1));
    assert!(is_too_large(&add.await));
    browser
        .does(async |session| session.rotate().await.expect("rotates"))
        .await;
    browser.set("a", 1).await;
    browser
        .does(async |session| session.remove("b").expect("is removed"))
        .await;
    assert_eq!(browser.get("a").await, Some(1));
    browser.set("a", 1).await;
    let mut before = browser.clone();
    browser
        .does(async |session| session.logout().await.expect("logs out"))
        .await;
    assert_eq!(before.user().await, None);
}

async fn a_logout_ends_what_is_too_large(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    browser.set("a", 1_234_567_890).await;
    let layer = side.builder().size_limit(5).build().expect("makes sense");
    let mut browser = browser.at(&layer);
    let mut before = browser.clone();
    browser
        .does(async |session| session.logout().await.expect("logs out"))
        .await;
    assert_eq!(before.user().await, None);
}

async fn large_values_come_back_as_they_went(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let text = "ä\0\"\\\u{1f980}".repeat(3000);
    let set = async |session: Session| session.set("text", &text).expect("is set");
    browser.does(set).await;
    browser.login("ada").await;
    let get = async |session: Session| session.get::<String>("text").expect("text");
    assert_eq!(browser.does(get).await, Some(text));
}

on_both_stores!(
    what_would_be_too_large_is_refused_at_once_and_changes_nothing,
    two_at_once_do_not_go_beyond_it_together,
    what_is_too_large_already_can_shrink_and_end,
    a_logout_ends_what_is_too_large,
    large_values_come_back_as_they_went,
);
