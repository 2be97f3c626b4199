//! A password in a store URL is seen by nobody: not in logs, not in `Debug`, not in errors.
//!
//! A test program of its own: what is captured here is all that its threads say.

use std::{
    error::Error,
    fmt::{Debug, Write as _},
    time::Duration,
};

use bytes::Bytes;
use tower_keep::{CacheLayer, Class, Classes, Mode, Store, Tag, types::Key};
use tower_keep_faults::{Hiring, LONG, Process, Site, restart, run_if_asked};
use tower_keep_test_support::{Heard, RedisServer, eventually};

const PASSWORD: &str = "s3cretpass";

/// As it may stand in a URL, and as it is sent.
const FORMS: [&str; 4] = [PASSWORD, "s3cret%70ass", "wr0ngpass", "czNjcmV0cGFzcw"];

#[test]
#[ignore = "the others start it"]
fn the_application() {
    run_if_asked();
}

fn assert_silent(text: &str, of: &str) {
    let lower = text.to_ascii_lowercase();
    for form in FORMS {
        let at = lower.find(&form.to_ascii_lowercase());
        let said = at.map(|at| &text[at.saturating_sub(120)..(at + 40).min(text.len())]);
        assert!(said.is_none(), "{of} says {form}: …{}…", said.unwrap_or(""));
    }
}

/// An error with all its causes, in every way there is to print it.
fn all_of(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        writeln!(text, "{error} {error:?} {error:#?}").expect("a string takes all");
        next = error.source();
    }
    text
}

fn debugged(value: &impl Debug) -> String {
    format!("{value:?} {value:#?}")
}

fn url(server: &RedisServer, password: &str) -> String {
    format!("redis://:{password}@{}", server.address())
}

/// Everything that can be made of a store.
async fn shown(store: &Store) -> String {
    let key = Key::new("t", b"k");
    let mut text = debugged(store);
    let results = [
        store.ping().await,
        store.put(&key, Bytes::from_static(b"v"), LONG).await,
        store.get(&key).await.map(|_| ()),
    ];
    for error in results.into_iter().filter_map(Result::err) {
        text += &all_of(&error);
    }
    let hour = || Classes::new().class("c", Class::fresh_for(Duration::from_secs(3600)));
    text += &debugged(&CacheLayer::builder(store.clone()).classes(hour()));
    let layer = CacheLayer::builder(store.clone()).classes(hour()).build();
    let layer = layer.expect("good options");
    let handle = layer.handle();
    let objects = handle.objects::<String>("c").expect("a class");
    text += &debugged(&(&layer, &handle, &objects, store.log()));
    if let Err(error) = handle.invalidate([Tag::new("t")], Mode::Hard).await {
        text += &all_of(&error);
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_never_said_whatever_goes_wrong() {
    let heard = Heard::everything();
    let mut server = RedisServer::builder()
        .args(["--requirepass", PASSWORD])
        .start();
    for password in [PASSWORD, "s3cret%70ass"] {
        let store = Store::connect(&url(&server, password)).expect("a good URL");
        eventually(LONG, async || store.ping().await.is_ok()).await;
        eventually(LONG, async || store.log().is_current()).await;
        assert_silent(&shown(&store).await, "a connected store");
    }
    let site = Site::on(&Hiring::new(), &url(&server, PASSWORD)).await;
    assert!(
        site.client()
            .await
            .get("/api/candidates/1")
            .await
            .status
            .is_success()
    );
    let wrong = Store::connect(&url(&server, "wr0ngpass")).expect("a good URL");
    let error = wrong.ping().await.expect_err("a wrong password");
    assert!(!error.is_timeout(), "{error:?}");
    assert_silent(&all_of(&error), "an error");
    assert_silent(&shown(&wrong).await, "a store that is refused");
    let store = site.store().clone();
    server.kill();
    assert_silent(&shown(&store).await, "a store whose server has died");
    restart(&mut server);
    eventually(LONG, async || store.ping().await.is_ok()).await;
    let text = heard.text();
    assert!(
        text.contains("store.step"),
        "it heard something: {}",
        text.len()
    );
    assert!(text.contains("a store connection was lost"), "refusals too");
    assert_silent(&text, "the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_cannot_be_used_is_refused_without_repeating_it() {
    for url in [
        "redis://:s3cretpass@127.0.0.1:notaport",
        "redis://:s3cretpass@",
        "redis://:s3cretpass@127.0.0.1/notadatabase",
        "redis://:s3cretpass@[::1",
        "rediss://:s3cretpass@",
        "redis+cluster://:s3cretpass@a,b",
        "redis+sentinel://:s3cretpass@a/b",
        "unix:///nowhere?db=x&pass=s3cretpass",
        "s3cretpass",
        "s3cretpass://host",
        "s3cretpass:host",
        ":s3cretpass@127.0.0.1:6379",
    ] {
        let error = Store::connect(url).expect_err(url);
        assert_silent(&all_of(&error), url);
        assert!(error.to_string().len() > 10, "{error}");
    }
    let builder = Store::builder().namespace("shown");
    assert_silent(&debugged(&builder), "a builder");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_says_nothing_either() {
    let mut server = RedisServer::builder()
        .args(["--requirepass", PASSWORD])
        .start();
    let hiring = Hiring::new();
    for password in [PASSWORD, "wr0ngpass"] {
        let application = Process::start("the_application", &hiring, &url(&server, password));
        let mut client = application.client().await;
        assert!(client.get("/api/candidates/1").await.status.is_success());
        server.kill();
        assert!(client.change_status(1, "offer").await.status.is_success());
        restart(&mut server);
        assert_silent(&application.said(), "the application");
    }
}
