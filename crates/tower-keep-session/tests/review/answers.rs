//! What answers say, and what they cost.

use http::{HeaderName, HeaderValue, StatusCode, header};
use tower_keep_session::{Session, SessionCookie, SessionError, Transport};

use crate::common::{Browser, Side, Wire, fields, on_both_stores};

async fn an_update_that_puts_nothing_in_creates_nothing(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let (result, answer) = browser
        .visit(async |session: Session| session.update("flash", |old: Option<i64>| old).await)
        .await;
    assert_eq!(result.expect("nothing to do"), None);
    // FAILS: an empty session for a day, and a cookie. handle.rs: "nothing is stored before something is put into it".
    assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
    assert_eq!(side.keys(), [""; 0]);
}

/// gRPC has only POST. Whoever says otherwise gets no 200 in the place of a 503.
#[tokio::test(flavor = "multi_thread")]
async fn a_get_that_says_it_is_grpc_is_answered_with_an_error_status() {
    let mut side = Side::redis();
    let mut browser = Browser::new(&side.layer());
    let kind = HeaderValue::from_static("application/grpc");
    browser.headers.insert(header::CONTENT_TYPE, kind);
    browser.set("a", 1).await;
    let (_, answer) = browser
        .visit(async |session: Session| {
            session.set("a", &2).expect("is noted");
            side.server_mut().kill();
        })
        .await;
    // FAILS: 200. (The request is a GET.)
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
}

/// A call that failed is a 200 with a status of its own (trailers alone: tonic's `Err(Status::internal(…))`).
async fn a_call_of_grpc_that_failed_changes_nothing(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.set("a", 1).await;
    let kind = HeaderValue::from_static("application/grpc");
    browser.headers.insert(header::CONTENT_TYPE, kind);
    browser
        .handled(async |handle| {
            let session = handle.load().await.expect("the store answers");
            session.set("a", &2).expect("is noted");
            let mut response = Wire::default();
            let status = HeaderValue::from_static("13");
            response.headers_mut().insert("grpc-status", status);
            ((), response)
        })
        .await;
    // FAILS: stored. The same failure as a 500 changes nothing.
    assert_eq!(browser.get("a").await, Some(1));
}

/// RFC 9213: a targeted field goes before `Cache-Control`.
async fn no_cache_of_a_cdn_keeps_a_ticket(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let (_, answer) = browser
        .handled(async |handle| {
            let session = handle.load().await.expect("the store answers");
            session.login("ada", 1).await.expect("logs in");
            let mut response = Wire::default();
            let keep = HeaderValue::from_static("max-age=600");
            let name = HeaderName::from_static("cdn-cache-control");
            response.headers_mut().insert(name, keep);
            ((), response)
        })
        .await;
    assert_eq!(fields(&answer, "set-cookie").len(), 1);
    // FAILS
    assert_eq!(fields(&answer, "cdn-cache-control"), [""; 0]);
}

/// lib.rs: "logs a user out everywhere | 1 script".
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
    // FAILS: a second script (HGETALL, in vain), then GET, HGETALL and PTTL again: three round trips after the read.
    assert_eq!(stats["hgetall"], 1, "{stats:?}");
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
    // FAILS: HDEL, HSET and PEXPIRE for every page.
    assert!(!stats.contains_key("hset"), "{stats:?}");
}

#[test]
fn what_contradicts_itself_is_found_when_the_layer_is_built() {
    let side = Side::embedded();
    let none: [[u8; 64]; 0] = [];
    let cookie = |name| Transport::Cookie(SessionCookie::named(name));
    let unsigned = SessionCookie::default().signed_with(none);
    let bad = [
        ("two of one name", vec![cookie("id"), cookie("id")]),
        ("two bearers", vec![Transport::Bearer, Transport::Bearer]),
        ("a ring without a key", vec![Transport::Cookie(unsigned)]),
        (
            "a field that the layer writes itself",
            vec![Transport::Header(header::CACHE_CONTROL)],
        ),
        (
            "a cookie that is none",
            vec![Transport::Header(header::COOKIE)],
        ),
    ];
    let built = bad.into_iter().filter_map(|(what, transports)| {
        let builder = side.builder();
        let builder = transports
            .into_iter()
            .fold(builder, |builder, transport| builder.transport(transport));
        builder.build().is_ok().then_some(what)
    });
    let built: Vec<_> = built.collect();
    // FAILS: all of them are built. With the fourth a ticket is never told.
    assert_eq!(built, [""; 0]);
}

/// A script does all or nothing, also where the server lets it do only half.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_refused_ends_nothing_and_leaves_no_key_for_ever() {
    let side = Side::redis();
    let mut browser = Browser::new(&side.layer());
    browser.set("cart", 1).await;
    side.command(&["ACL", "SETUSER", "default", "-pexpire"]);
    let login = async |session: Session| session.login("ada", 1).await;
    let refused = browser.does(login).await;
    assert!(
        matches!(refused, Err(SessionError::Store(_))),
        "{refused:?}"
    );
    side.command(&["ACL", "SETUSER", "default", "+@all"]);
    let eternal: Vec<_> = side
        .keys()
        .into_iter()
        .filter(|key| side.lives(key) == -1)
        .collect();
    // FAILS: the old session is gone, and its tombstone has no end.
    assert_eq!(eternal, [""; 0]);
    assert_eq!(browser.get("cart").await, Some(1));
}

on_both_stores!(
    an_update_that_puts_nothing_in_creates_nothing,
    a_call_of_grpc_that_failed_changes_nothing,
    no_cache_of_a_cdn_keeps_a_ticket,
);
