//! What a request costs, as the server counts it.

use std::collections::BTreeMap;

use tower_keep_session::Session;
use tower_keep_test_support::{RedisServer, Reply, eventually};

use crate::common::{Browser, LONG, Side};

/// Counts from here on.
fn reset(server: &RedisServer) {
    server.reset_stats();
    server.command(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    server.command(&["CONFIG", "SET", "slowlog-max-len", "10000"]);
    server.command(&["SLOWLOG", "RESET"]);
}

/// Scripts on keys of ours; those of the log are not waited for.
fn scripts(server: &RedisServer) -> u64 {
    sent(server).get("evalsha").copied().unwrap_or(0)
}

/// Commands on keys of ours; also those of scripts.
fn sent(server: &RedisServer) -> BTreeMap<String, u64> {
    let Reply::Array(Some(entries)) = server.command(&["SLOWLOG", "GET", "10000"]) else {
        panic!("SLOWLOG answers with a list");
    };
    let mut sent = BTreeMap::new();
    for entry in entries {
        let Reply::Array(Some(entry)) = entry else {
            panic!("an entry is a list");
        };
        let Reply::Array(Some(words)) = &entry[3] else {
            panic!("a command is a list");
        };
        let words: Vec<_> = words.iter().filter_map(Reply::text).collect();
        if words.iter().any(|word| word.starts_with("keep:s")) {
            *sent.entry(words[0].to_lowercase()).or_default() += 1;
        }
    }
    sent
}

fn counts(expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    let owned = |(name, count): &(&str, u64)| ((*name).to_owned(), *count);
    expected.iter().map(owned).collect()
}

/// The side, and two browsers after a first request: one with a session, one with a user too.
async fn warm() -> (Side, Browser, Browser) {
    let side = Side::redis();
    let layer = side.layer();
    let mut anonymous = Browser::new(&layer);
    anonymous.set("a", 1).await;
    let mut user = Browser::new(&layer);
    user.login("ada").await;
    user.set("a", 1).await;
    (side, anonymous, user)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_look_costs_nothing() {
    let (side, mut anonymous, mut user) = warm().await;
    let server = side.server().expect("the side with a server");
    reset(server);
    for browser in [&mut anonymous, &mut user] {
        browser.handled(async |_| ((), Default::default())).await;
    }
    assert_eq!(sent(server), counts(&[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_visit_without_a_cookie_costs_nothing() {
    let (side, anonymous, _) = warm().await;
    let server = side.server().expect("the side with a server");
    reset(server);
    let mut bare = anonymous.clone();
    bare.cookie = None;
    assert_eq!(bare.user().await, None);
    assert_eq!(sent(server), counts(&[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_any_number_of_fields_is_one_round_trip_and_no_write() {
    let (side, mut anonymous, mut user) = warm().await;
    let server = side.server().expect("the side with a server");
    let read = async |session: Session| {
        for name in ["a", "b", "c", "a"] {
            session.get::<i64>(name).expect("a number");
        }
        session.user()
    };
    reset(server);
    anonymous.does(read).await;
    assert_eq!(sent(server), counts(&[("get", 1)]));
    reset(server);
    user.does(read).await;
    assert_eq!(sent(server), counts(&[("mget", 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_made_up_ticket_costs_one_read() {
    let (side, anonymous, _) = warm().await;
    let server = side.server().expect("the side with a server");
    let mut bogus = anonymous.clone();
    bogus.cookie = Some(format!("__Host-id={}", "A".repeat(43)));
    reset(server);
    bogus
        .does(async |session| (session.user(), session.names()))
        .await;
    assert_eq!(sent(server), counts(&[("get", 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_changes_is_one_script_after_the_read() {
    let (side, mut anonymous, _) = warm().await;
    let server = side.server().expect("the side with a server");
    reset(server);
    let change = async |session: Session| {
        for i in 0..5 {
            session.set(&format!("field {i}"), &i).expect("is set");
        }
        session.remove("a").expect("is removed");
    };
    anonymous.does(change).await;
    assert_eq!(scripts(server), 1);
    assert_eq!(server.command_stats()["set"], 1);
    reset(server);
    let same = async |session: Session| session.set("field 1", &1).expect("is as it was");
    anonymous.does(same).await;
    let read = counts(&[("get", 1)]);
    assert_eq!(sent(server), read, "what is as it was is not written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_value_is_one_script() {
    let (side, anonymous, _) = warm().await;
    let server = side.server().expect("the side with a server");
    let mut new = anonymous.clone();
    new.cookie = None;
    reset(server);
    new.set("a", 1).await;
    assert_eq!(scripts(server), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn login_rotation_and_logout_are_one_script_after_the_read() {
    let (side, mut browser, _) = warm().await;
    let server = side.server().expect("the side with a server");
    let login = async |session: Session| session.login("grace", 1).await.expect("logs in");
    let rotate = async |session: Session| session.rotate().await.expect("rotates");
    let logout = async |session: Session| session.logout().await.expect("logs out");
    reset(server);
    browser.does(login).await;
    assert_eq!(scripts(server), 1);
    reset(server);
    browser.does(rotate).await;
    assert_eq!(scripts(server), 1);
    reset(server);
    browser.user().await;
    // Nobody waited for that.
    eventually(LONG, async || scripts(server) == 1).await;
    reset(server);
    browser.does(logout).await;
    assert_eq!(scripts(server), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_everywhere_is_one_script_however_many_sessions_there_are() {
    let side = Side::redis();
    let layer = side.layer();
    for _ in 0..50 {
        Browser::new(&layer).login("ada").await;
    }
    let server = side.server().expect("the side with a server");
    // The first of all may have to bring the script along.
    let sessions = layer.sessions();
    sessions.revoke_all("grace").await.expect("revokes");
    reset(server);
    sessions.revoke_all("ada").await.expect("revokes");
    assert_eq!(scripts(server), 1);
    let stats = server.command_stats();
    assert!(
        !stats.contains_key("hgetall") && !stats.contains_key("getrange"),
        "{stats:?}"
    );
}

/// A value that was not there when the session was loaded: the flash message that most pages do not have.
#[tokio::test(flavor = "multi_thread")]
async fn to_look_for_a_message_that_is_not_there_writes_nothing() {
    let side = Side::redis();
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    let server = side.server().expect("the side with a server");
    server.reset_stats();
    let take = async |session: Session| session.take::<String>("flash").await.expect("nothing");
    assert_eq!(browser.does(take).await, None);
    let stats = server.command_stats();
    assert!(!stats.contains_key("set"), "{stats:?}");
}

/// One script after the read.
#[tokio::test(flavor = "multi_thread")]
async fn a_sessions_own_logout_everywhere_is_one_script() {
    let side = Side::redis();
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    browser.user().await;
    let server = side.server().expect("the side with a server");
    server.reset_stats();
    let out = async |session: Session| session.logout_everywhere().await.expect("logs out");
    browser.does(out).await;
    let stats = server.command_stats();
    assert_eq!(stats["mget"], 1, "{stats:?}");
}
