//! A server that is reading what it had takes nobody for signed out.

use std::time::Duration;

use tokio::task::spawn_blocking;
use tower_keep_session::{SessionError, SessionHandle, SessionLayer};
use tower_keep_store::{Store, StoreError};
use tower_keep_test_support::{RedisServer, eventually};

use crate::common::{Browser, LONG, Wire};

/// Who the site believes this is, or that it does not know.
async fn who(browser: &mut Browser) -> Result<Option<String>, SessionError> {
    let look = async |handle: SessionHandle| {
        let session = handle.load().await;
        (session.map(|session| session.user()), Wire::default())
    };
    browser.handled(look).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_loading_nothing_is_known_of_anybody() {
    // Each key takes five milliseconds to read, and clients are heard in between.
    let args = [
        "--key-load-delay",
        "5000",
        "--loading-process-events-interval-bytes",
        "1024",
    ];
    let mut server = RedisServer::builder().args(args).start();
    let layer = |deadline| {
        let store = Store::builder().deadline(deadline).connect(&server.url());
        SessionLayer::new(store.expect("a good URL"))
    };
    let mut browser = Browser::new(&layer(LONG));
    browser.login("ada").await;
    let browser = browser.at(&layer(Duration::from_millis(200)));
    let padding = "x".repeat(2048);
    for i in 0..200 {
        server.command(&["SET", &format!("padding:{i}"), &padding]);
    }
    server.command(&["SAVE"]);
    let mut restart = spawn_blocking(move || {
        server.restart();
        server
    });
    let mut errors: Vec<StoreError> = Vec::new();
    let server = loop {
        let visit = async {
            match who(&mut browser.clone()).await {
                Ok(user) => assert_eq!(user.as_deref(), Some("ada")),
                Err(SessionError::Store(error)) => errors.push(error),
                Err(error) => panic!("{error:?}"),
            }
        };
        tokio::select! {
            server = &mut restart => break server.expect("starts again"),
            () = visit => tokio::task::yield_now().await,
        }
    };
    assert!(!errors.is_empty(), "it was away for a while");
    eventually(LONG, async || {
        let user = who(&mut browser.clone()).await;
        user.is_ok_and(|user| user.as_deref() == Some("ada"))
    })
    .await;
    drop(server);
}
