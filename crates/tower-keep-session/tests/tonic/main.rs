//! A tonic server and a tonic client: the ticket travels in metadata.

#[path = "../common/mod.rs"]
mod common;

mod accounts;
mod site;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::HeaderName;
use tonic::Code;
use tower_keep_session::{SessionError, SessionLayer, Transport};
use tower_keep_store::Store;
use tower_keep_test_support::{RedisServer, eventually};

use crate::{
    accounts::{Accounts, status},
    common::{LONG, Side, on_both_stores},
    site::{METADATA, Site},
};

fn layer(store: Store) -> SessionLayer {
    let field = Transport::Header(HeaderName::from_static(METADATA));
    let builder = SessionLayer::builder(store).transport(field);
    builder.build().expect("makes sense")
}

async fn site(side: &Side) -> Site {
    Site::start(layer(side.store()), Accounts::default()).await
}

async fn who_logs_in_is_known_by_the_ticket_until_they_log_out(side: Side) {
    let site = site(&side).await;
    let mut client = site.client().await;
    assert_eq!(client.fails("Who").await, Code::Unauthenticated);
    let mut client = client.logged_in("ada").await;
    assert_eq!(client.call("Who", "").await.expect("somebody"), "ada");
    assert_eq!(client.call("Identity", "").await.expect("answers"), "true");
    let mut copy = client.clone();
    client.call("Logout", "").await.expect("logs out");
    assert!(client.ticket.is_none(), "told to forget it");
    assert_eq!(client.fails("Who").await, Code::Unauthenticated);
    assert_eq!(copy.fails("Who").await, Code::Unauthenticated);
    assert_eq!(copy.call("Identity", "").await.expect("answers"), "false");
}

async fn a_rotation_and_a_login_tell_new_tickets(side: Side) {
    let site = site(&side).await;
    let mut client = site.client().await.logged_in("ada").await;
    client.call("Note", "kept").await.expect("is noted");
    let first = client.clone();
    client.call("Rotate", "").await.expect("rotates");
    assert_ne!(client.ticket, first.ticket);
    assert_eq!(client.call("Read", "").await.expect("reads"), "kept");
    let mut planted = client.clone();
    let mut client = client.logged_in("ada").await;
    assert_eq!(client.call("Read", "").await.expect("reads"), "kept");
    assert_eq!(planted.fails("Who").await, Code::Unauthenticated);
}

async fn a_call_that_fails_changes_nothing(side: Side) {
    let site = site(&side).await;
    let mut client = site.client().await.logged_in("ada").await;
    client.call("Note", "kept").await.expect("is noted");
    assert_eq!(client.fails("NoteAndFail").await, Code::Internal);
    assert_eq!(client.call("Read", "").await.expect("reads"), "kept");
}

async fn what_is_no_ticket_is_nobody(side: Side) {
    let site = site(&side).await;
    let mut client = site.client().await;
    for ticket in ["garbage", &"A".repeat(43), &"A".repeat(4000)] {
        client.ticket = Some(ticket.parse().expect("ASCII"));
        assert_eq!(client.fails("Who").await, Code::Unauthenticated);
    }
}

#[test]
fn each_error_has_its_code() {
    for (error, code) in [
        (SessionError::ReadOnly, Code::Unavailable),
        (SessionError::Anonymous, Code::Unauthenticated),
        (SessionError::Ended, Code::Unauthenticated),
        (SessionError::Revoked, Code::Unauthenticated),
        (SessionError::TooManySessions, Code::Aborted),
        (SessionError::Contended, Code::Aborted),
        (SessionError::TooLarge, Code::ResourceExhausted),
        (SessionError::NoLayer, Code::Internal),
    ] {
        assert_eq!(status(&error).code(), code, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_down_is_unavailable_and_comes_back() {
    let server = RedisServer::builder().args(["--appendonly", "yes"]).start();
    let store = Store::builder().deadline(Duration::from_secs(2));
    let store = store.connect(&server.url()).expect("a good URL");
    let server = Arc::new(Mutex::new(server));
    let accounts = Accounts {
        server: Some(server.clone()),
    };
    let site = Site::start(layer(store), accounts).await;
    let mut client = site.client().await.logged_in("ada").await;
    // Killed in the middle of a call: what it noted cannot be stored, and the layer says so.
    assert_eq!(client.fails("NoteAndKill").await, Code::Unavailable);
    for _ in 0..3 {
        assert_eq!(client.fails("Who").await, Code::Unavailable);
    }
    server.lock().expect("nobody panics").restart();
    eventually(LONG, async || {
        let who = client.clone().call("Who", "").await;
        who.is_ok_and(|who| who == "ada")
    })
    .await;
}

on_both_stores!(
    who_logs_in_is_known_by_the_ticket_until_they_log_out,
    a_rotation_and_a_login_tell_new_tickets,
    a_call_that_fails_changes_nothing,
    what_is_no_ticket_is_nobody,
);
