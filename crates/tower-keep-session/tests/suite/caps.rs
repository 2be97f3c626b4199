//! A user has so many sessions, and no more; and any text is a user.

use std::time::Duration;

use tower_keep_session::{Session, SessionError};

use crate::common::{Browser, Side, list, on_both_stores, users};

async fn one_session_too_many_ends_the_oldest(side: Side) {
    let layer = side.builder().sessions_per_user(2).build();
    let layer = layer.expect("makes sense");
    let mut browsers = Vec::new();
    for _ in 0..3 {
        let mut browser = Browser::new(&layer);
        browser.login("ada").await;
        side.advance(Duration::from_millis(10));
        browsers.push(browser);
    }
    assert_eq!(users(&mut browsers).await, [false, true, true]);
    // One that logs in again takes no place but its own.
    browsers[1].login("ada").await;
    browsers[2]
        .does(async |session| session.rotate().await.expect("rotates"))
        .await;
    assert_eq!(users(&mut browsers).await, [false, true, true]);
}

async fn one_session_too_many_is_refused_where_that_is_the_policy(side: Side) {
    let builder = side
        .builder()
        .sessions_per_user(1)
        .refuse_further_sessions();
    let layer = builder.build().expect("makes sense");
    let mut first = Browser::new(&layer);
    first.login("ada").await;
    let mut second = Browser::new(&layer);
    let refused = async |session: Session| {
        session.set("cart", &1).expect("is noted");
        session.login("ada", 1).await
    };
    let result = second.does(refused).await;
    assert!(
        matches!(result, Err(SessionError::TooManySessions)),
        "{result:?}"
    );
    assert_eq!(second.user().await, None);
    assert_eq!(
        second.get("cart").await,
        Some(1),
        "what was noted is not forgotten"
    );
    first
        .does(async |session| session.logout().await.expect("logs out"))
        .await;
    second.login("ada").await;
    side.advance(25 * 3600 * Duration::from_secs(1));
    first.login("ada").await;
    assert_eq!(
        users(&mut [first, second]).await,
        [true, false],
        "what expired takes no place"
    );
}

async fn any_text_is_a_user(side: Side) {
    let names = [
        "a",
        "{a}",
        "a:b",
        "a}:{b",
        "",
        " ",
        "ä☃",
        "\0\r\n",
        "{",
        &"x".repeat(5000),
    ];
    let layer = side.layer();
    let mut browsers = Vec::new();
    for name in names {
        let mut browser = Browser::new(&layer);
        browser.login(name).await;
        browsers.push(browser);
    }
    side.layer()
        .sessions()
        .revoke_all("{a}")
        .await
        .expect("revokes");
    for (name, browser) in names.into_iter().zip(&mut browsers) {
        let expected = (name != "{a}").then_some(name);
        assert_eq!(browser.user().await.as_deref(), expected, "{name:?}");
    }
    for key in side.keys() {
        let tags = key.matches(['{', '}']).count();
        assert!(tags == 2 && key.len() < 80, "{key}");
    }
}

async fn a_label_is_what_the_layer_was_told_and_not_too_long(side: Side) {
    let builder = side
        .builder()
        .device_label(|head| format!("{}…{}", head.method, "é".repeat(900)));
    let mut browser = Browser::new(&builder.build().expect("makes sense"));
    browser.login("ada").await;
    let listed = browser.does(list).await;
    assert!(listed[0].label().starts_with("GET…é"));
    assert_eq!(listed[0].label().chars().count(), 200);
}

/// A server that evicts loses the epoch: that logs the user out, and keeps nobody out.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_a_lost_epoch_ended_take_no_place() {
    let side = Side::redis();
    let builder = side.builder().sessions_per_user(2);
    let layer = builder.refuse_further_sessions().build();
    let layer = layer.expect("makes sense");
    for _ in 0..2 {
        Browser::new(&layer).login("ada").await;
    }
    side.clock.advance(Duration::from_secs(1));
    let epochs = side.keys().into_iter();
    for key in epochs.filter(|key| key.ends_with(":00000000")) {
        side.command(&["DEL", &key]);
    }
    let mut browser = Browser::new(&layer);
    browser.login("ada").await;
    assert_eq!(browser.does(list).await.len(), 1);
}

on_both_stores!(
    one_session_too_many_ends_the_oldest,
    one_session_too_many_is_refused_where_that_is_the_policy,
    any_text_is_a_user,
    a_label_is_what_the_layer_was_told_and_not_too_long,
);
