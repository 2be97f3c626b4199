//! A ticket is seen by nobody but its client: not on the server, not in logs, not in `Debug`.
//!
//! A test program of its own: what is captured here is all that its threads say.

mod common;

use std::{
    fmt::{Debug, Write as _},
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{Browser, Side};
use tower_keep_session::{
    Login, ReusedTicket, Session, SessionCookie, SessionHandle, SessionLayer, Sessions, Transport,
};
use tower_keep_test_support::{Heard, Reply};

fn debugged(value: &impl Debug) -> String {
    format!("{value:?} {value:#?}")
}

/// All that lies on the server, as it lies there and as its commands show it.
fn dump(side: &Side) -> String {
    let mut text = String::new();
    let Reply::Array(Some(names)) = side.command(&["KEYS", "*"]) else {
        panic!("KEYS answers with a list");
    };
    for name in names.iter().filter_map(Reply::text) {
        let reads: [&[&str]; 4] = [
            &["HGETALL", &name],
            &["GET", &name],
            &["XRANGE", &name, "-", "+"],
            &["DUMP", &name],
        ];
        for read in reads {
            let reply = side.command(read);
            write!(text, "{name} {} ", flat(&reply)).expect("a string takes all");
        }
    }
    text
}

fn flat(reply: &Reply) -> String {
    match reply {
        Reply::Array(Some(replies)) => replies.iter().map(|reply| flat(reply) + " ").collect(),
        other => other.text().unwrap_or_default(),
    }
}

/// Everything that can be had of a session, as it prints itself.
async fn shown(handle: SessionHandle, layer: &SessionLayer, sessions: &Sessions) -> String {
    let session: Session = handle.load().await.expect("the store answers");
    let list = session.list().await.map_err(|error| error.to_string());
    [
        debugged(&handle),
        debugged(&session),
        debugged(&list),
        debugged(&session.revoked()),
        debugged(&session.get::<u8>("number")),
        debugged(layer),
        debugged(sessions),
        debugged(&layer.stats()),
        debugged(&SessionCookie::default().signed_with([[0x5a; 64]])),
        debugged(&Transport::Bearer),
        debugged(&SessionHandle::of(&http::Extensions::new()).err()),
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_ticket_is_on_the_server_nor_in_any_log_nor_in_debug() {
    let heard = Heard::everything();
    let mut side = Side::redis();
    let layer = side.layer();
    let sessions = layer.sessions();
    let mut browser = Browser::new(&layer);
    let mut tickets = Vec::new();
    let mut text = String::new();
    browser.set("number", 4000).await;
    tickets.extend(browser.cookie.clone());
    browser.login("ada").await;
    tickets.extend(browser.cookie.clone());
    let (said, _) = browser
        .handled(async |handle| (shown(handle, &layer, &sessions).await, Default::default()))
        .await;
    text += &said;
    browser
        .does(async |session| session.rotate().await.expect("rotates"))
        .await;
    tickets.extend(browser.cookie.clone());
    let (_, answer) = browser
        .visit(async |session| session.rotate().await.expect("rotates"))
        .await;
    tickets.extend(browser.cookie.clone());
    // What traces a response prints its fields.
    text += &debugged(&answer.headers());
    text += &dump(&side);
    browser
        .does(async |session| session.logout().await.expect("logs out"))
        .await;
    text += &dump(&side);
    side.server_mut().kill();
    let failed = async |handle: SessionHandle| (handle.load().await, Default::default());
    browser.cookie = tickets.last().cloned();
    let (failed, _) = browser.handled(failed).await;
    text += &debugged(&failed);
    let log = heard.text();
    assert!(
        log.contains("a store step failed"),
        "it heard something: {log}"
    );
    text += &log;
    assert_eq!(tickets.len(), 4);
    for ticket in tickets {
        let ticket = ticket.strip_prefix("__Host-id=").expect("a cookie");
        let secret = ticket.split('.').next().expect("a secret");
        for part in [&secret[..20], &secret[20..]] {
            assert!(!text.contains(part), "{part} is said");
        }
    }
    assert!(
        !text.contains("5a, 5a") && !text.contains("90, 90"),
        "nor a key"
    );
}

#[tokio::test]
async fn a_ticket_that_came_again_is_reported_and_not_repeated() {
    let heard = Heard::everything();
    let side = Side::embedded();
    let told: Arc<Mutex<Vec<ReusedTicket>>> = Arc::default();
    let hook = told.clone();
    let layer = side
        .builder()
        .on_reused_ticket(move |ticket| hook.lock().expect("nobody panics").push(ticket));
    let mut browser = Browser::new(&layer.build().expect("makes sense"));
    let login = Login::new("ada@example.com", 1).remember(false);
    let mut text = debugged(&login);
    browser
        .does(async |session| session.login_with(login).await.expect("logs in"))
        .await;
    let mut thief = browser.clone();
    browser
        .does(async |session| session.rotate().await.expect("rotates"))
        .await;
    browser.user().await;
    side.advance(Duration::from_secs(11));
    assert_eq!(thief.user().await, None);
    text += &debugged(&told.lock().expect("nobody panics")[0]);
    text += &heard.text();
    assert!(text.contains("came again after it was replaced"), "{text}");
    assert!(!text.contains("ada@"), "nor whose it is: {text}");
    for browser in [browser, thief] {
        let cookie = browser.cookie.expect("a cookie");
        let ticket = cookie.strip_prefix("__Host-id=").expect("a ticket");
        for part in [&ticket[..20], &ticket[20..43]] {
            assert!(!text.contains(part), "{part} is said");
        }
    }
}

/// A value may be a secret too: what cannot be read is not repeated.
#[tokio::test]
async fn an_error_repeats_no_value() {
    let mut browser = Browser::new(&Side::embedded().layer());
    let set = async |session: Session| session.set("api key", &"s3cret-value").expect("is set");
    browser.does(set).await;
    let get = async |session: Session| session.get::<u64>("api key").expect_err("is no number");
    let error = browser.does(get).await;
    let mut text = format!("{error} {}", debugged(&error));
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        write!(text, "{error} {error:?}").expect("a string takes all");
        source = error.source();
    }
    assert!(!text.contains("s3cret"), "{text}");
}
