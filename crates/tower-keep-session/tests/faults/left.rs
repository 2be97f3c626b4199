//! A client has left, and something that its request began goes on: it can be told nothing any more.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http::Request;
use tokio::task::JoinHandle;
use tower::{Layer, ServiceExt, service_fn};
use tower_keep_session::{Session, SessionError, SessionHandle};
use tower_keep_test_support::{Gate, eventually};

use crate::common::{Browser, LONG, Side, Wire, on_both_stores};

/// What a task of a request comes to whose client left before it went on.
async fn after_the_client_left<R>(
    side: &Side,
    cookie: Option<&str>,
    job: impl AsyncFnOnce(Session) -> R,
) -> R {
    let gate = Gate::closed();
    let session = Arc::new(Mutex::new(None));
    let kept = session.clone();
    let service = side.layer().layer(service_fn(move |request: Request<()>| {
        let kept = kept.clone();
        let gate = gate.clone();
        async move {
            let handle = SessionHandle::of(request.extensions()).expect("the layer");
            let session = handle.load().await.expect("the store answers");
            kept.lock().expect("nobody panics").replace(session);
            gate.pass().await;
            Ok::<_, Infallible>(Wire::default())
        }
    }));
    let mut request = Request::get("/");
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    let request = request.body(()).expect("a request");
    let response: JoinHandle<_> = tokio::spawn(service.oneshot(request));
    let is_there = async || session.lock().expect("nobody panics").is_some();
    eventually(LONG, is_there).await;
    response.abort();
    assert!(response.await.is_err(), "the client left");
    let session = session.lock().expect("nobody panics").take();
    job(session.expect("it was kept")).await
}

async fn nobody_is_logged_in_of_whom_nobody_can_be_told(side: Side) {
    let login = async |session: Session| session.login("ada", 1).await;
    let result = after_the_client_left(&side, None, login).await;
    assert!(matches!(result, Err(SessionError::TooLate)), "{result:?}");
    let sessions = side.layer().sessions();
    assert_eq!(sessions.list("ada").await.expect("a list"), []);
}

async fn no_session_begins_of_which_nobody_can_be_told(side: Side) {
    let add = async |session: Session| session.increment("count", 1).await;
    let result = after_the_client_left(&side, None, add).await;
    assert!(matches!(result, Err(SessionError::TooLate)), "{result:?}");
    assert_eq!(side.sessions(), [""; 0]);
}

async fn what_needs_no_ticket_is_done_all_the_same(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    let cookie = browser.cookie.clone();
    let add = async |session: Session| session.increment("count", 1).await;
    let result = after_the_client_left(&side, cookie.as_deref(), add).await;
    assert_eq!(result.expect("adds"), 1);
    assert_eq!(browser.get("count").await, Some(1));
}

on_both_stores!(
    nobody_is_logged_in_of_whom_nobody_can_be_told,
    no_session_begins_of_which_nobody_can_be_told,
    what_needs_no_ticket_is_done_all_the_same,
);
