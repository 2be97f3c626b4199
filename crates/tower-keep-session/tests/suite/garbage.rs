//! What somebody else, or another version, wrote into a session's record.

use std::time::Duration;

use tower_keep_session::Session;
use tower_keep_test_support::Reply;

use crate::common::{Browser, Side};

async fn logged_in(side: &Side) -> Browser {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    browser.set("visits", 1).await;
    browser
}

/// All that a request can do; none of it may panic, or fail for want of a session.
async fn assert_no_session(browser: &mut Browser, what: &str) {
    let late = browser.clone();
    let (seen, answer) = browser
        .visit(async |session: Session| {
            let user = session.user();
            session.set("late", &1).expect("is noted");
            (user, session.list().await.is_err())
        })
        .await;
    assert_eq!(seen, (None, true), "{what}");
    assert!(answer.status().is_success(), "{what}: {}", answer.status());
    let mut again = late;
    again.login("ada").await;
    assert_eq!(again.user().await.as_deref(), Some("ada"), "{what}");
    again
        .does(async |session| session.logout().await.expect("logs out"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_none_is_no_session() {
    let side = Side::redis();
    let plants: [&[&[&str]]; 13] = [
        &[&["DEL", "KEY"], &["LPUSH", "KEY", "a"]],
        &[&["DEL", "KEY"], &["SADD", "KEY", "@a"]],
        &[&["DEL", "KEY"], &["ZADD", "KEY", "1", "@a"]],
        &[
            &["DEL", "KEY"],
            &["HSET", "KEY", "@a", "1900000000000", ".visits", "1"],
            &["PEXPIRE", "KEY", "9999"],
        ],
        &[&["SETRANGE", "KEY", "0", "x"]],
        &[&["SETRANGE", "KEY", "0", "S"]],
        &[&["SETRANGE", "KEY", "1", "-"]],
        &[&["SETRANGE", "KEY", "1", " "]],
        &[&["SETRANGE", "KEY", "14", "x"]],
        &[&["SETRANGE", "KEY", "16", "x"]],
        &[&["SETRANGE", "KEY", "28", "x"]],
        &[&["SETRANGE", "KEY", "30", "x"]],
        &[&["APPEND", "KEY", "x"]],
    ];
    for commands in plants {
        let mut browser = logged_in(&side).await;
        let key = side.session();
        for command in commands {
            let command = command
                .iter()
                .map(|word| if *word == "KEY" { &key } else { *word });
            let command: Vec<_> = command.collect();
            assert!(
                !matches!(side.command(&command), Reply::Error(_)),
                "{command:?}"
            );
        }
        assert_no_session(&mut browser, &format!("{commands:?}")).await;
        side.command(&["FLUSHALL"]);
    }
}

/// In the place of a record; as if it were to live for a day.
#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_no_record_is_no_session() {
    let side = Side::redis();
    let long = "9".repeat(100_000);
    for text in [
        "",
        "garbage",
        "s",
        "s1900000000000",
        "s1900000000000 0",
        "s1900000000000 0 1900000000000",
        "s1900000000000 0 1900000000000 ",
        "s1900000000000 0 1900000000000 garbage",
        "s1900000000000 0 1900000000000 7",
        "s1900000000000 0 nan \0",
        "s-1 0 1900000000000 \0",
        "snan 0 1900000000000 \0",
        "s0x7fffffffff 0 1900000000000 \0",
        "s99999999999999999999 0 1900000000000 \0",
        &format!("s{long}"),
        &format!("t{long}"),
        "t",
        "tw",
        "tgarbage",
    ] {
        let mut browser = logged_in(&side).await;
        side.command(&["SET", &side.session(), text, "PX", "86400000"]);
        assert_no_session(&mut browser, text).await;
        side.command(&["FLUSHALL"]);
    }
}

/// Whole, and then cut at every byte, by a server that loses some.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_cut_is_no_session() {
    let side = Side::redis();
    let mut browser = logged_in(&side).await;
    let key = side.session();
    let Reply::Integer(length) = side.command(&["STRLEN", &key]) else {
        panic!("STRLEN answers with a number");
    };
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
    let cut =
        "return redis.call('SET', KEYS[1], redis.call('GETRANGE', KEYS[1], 0, -2), 'KEEPTTL')";
    for left in (0..length).rev() {
        side.command(&["EVAL", cut, "1", &key]);
        let mut late = browser.clone();
        assert_eq!(late.user().await, None, "{left} bytes of {length}");
        late.set("late", 1).await;
    }
}

/// It ends when it would have ended, and nobody uses it until then more than others.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_made_to_last_is_no_session_after_its_time() {
    let side = Side::redis();
    let mut browser = logged_in(&side).await;
    let key = side.session();
    side.command(&["PERSIST", &key]);
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
    side.clock.advance(DAY);
    assert_eq!(side.lives(&key), -1);
    side.command(&["PERSIST", &key.replace(":s:", ":su:")]);
    assert_no_session(&mut browser, "PERSIST").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_what_is_ours_harms_nothing_else() {
    let side = Side::redis();
    for (name, value) in [
        ("@c", "garbage"),
        ("@l", "999"),
        ("@l", ""),
        ("@i", "inf"),
        ("@p", "garbage"),
        ("@zzz", "of a later version"),
        ("@", ""),
        ("", ""),
        ("zzz", "x"),
        (".", "1"),
    ] {
        let mut browser = logged_in(&side).await;
        side.plant(&side.session(), name, value);
        assert_eq!(
            browser.user().await.as_deref(),
            Some("ada"),
            "{name}={value}"
        );
        browser.set("visits", 2).await;
        let add = async |session: Session| session.increment("visits", 1).await.expect("adds");
        assert_eq!(browser.does(add).await, 3);
        browser
            .does(async |session| session.rotate().await.expect("rotates"))
            .await;
        assert_eq!(browser.get("visits").await, Some(3), "{name}={value}");
        browser
            .does(async |session| session.logout().await.expect("logs out"))
            .await;
        side.command(&["FLUSHALL"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_another_type_is_written_over() {
    let side = Side::redis();
    let mut browser = logged_in(&side).await;
    spoil(&side, ":00000001");
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
    browser.set("visits", 2).await;
    let list = async |session: Session| session.list().await.expect("a list").len();
    assert_eq!(browser.does(list).await, 0);
    browser.login("ada").await;
    assert_eq!(browser.does(list).await, 1);
    side.layer()
        .sessions()
        .revoke_all("ada")
        .await
        .expect("revokes");
    assert_eq!(browser.user().await, None);
}

/// Nobody knows then who was logged out everywhere: everybody is.
#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_of_another_type_ends_sessions_and_is_written_over() {
    let side = Side::redis();
    let mut browser = logged_in(&side).await;
    spoil(&side, ":00000000");
    assert_no_session(&mut browser, "epoch").await;
    spoil(&side, ":00000000");
    browser.login("ada").await;
    let sessions = side.layer().sessions();
    assert_eq!(sessions.list("ada").await.expect("a list").len(), 1);
    spoil(&side, ":00000000");
    sessions.revoke_all("ada").await.expect("revokes");
    assert_eq!(browser.user().await, None);
}

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Puts something else in the place of what is known of the user.
fn spoil(side: &Side, end: &str) {
    let keys = side.keys().into_iter();
    side.clock.advance(Duration::from_secs(1));
    for key in keys.filter(|key| key.starts_with("keep:su:") && key.ends_with(end)) {
        side.command(&["DEL", &key]);
        side.command(&["LPUSH", &key, "garbage"]);
        side.command(&["PEXPIRE", &key, "100000"]);
    }
}
