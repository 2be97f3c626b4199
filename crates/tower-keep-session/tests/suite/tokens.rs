//! Tokens that end before their time.

use std::{
    convert::Infallible,
    time::{Duration, SystemTime},
};

use http::{HeaderValue, Request, StatusCode};
use tower::{Layer, ServiceExt, service_fn};
use tower_keep_session::{IdentifyLayer, Session, SessionError, SessionHandle, SessionLayer};

use crate::common::{Browser, LONG, Side, Wire, on_both_stores};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn layer(side: &Side) -> SessionLayer {
    let builder = side.builder().token_id(|head| {
        let id = head.headers.get("x-token")?.to_str().ok()?;
        Some(id.to_owned())
    });
    builder.build().expect("makes sense")
}

fn with_token(layer: &SessionLayer, id: &'static str) -> Browser {
    let mut client = Browser::new(layer);
    client
        .headers
        .insert("x-token", HeaderValue::from_static(id));
    client
}

async fn load(client: &mut Browser) -> Result<Session, SessionError> {
    let load = async |handle: SessionHandle| (handle.load().await, Wire::default());
    client.handled(load).await.0
}

async fn is_refused(client: &mut Browser) -> bool {
    match load(client).await {
        Ok(_) => false,
        Err(SessionError::Revoked) => true,
        Err(error) => panic!("{error:?}"),
    }
}

fn ends_in(side: &Side, time: Duration) -> Option<SystemTime> {
    Some((side.clock.now() + time).into())
}

async fn a_revoked_token_is_refused_everywhere_until_it_ends_by_itself(side: Side) {
    let layers = [layer(&side), layer(&side)];
    let mut clients = layers.each_ref().map(|layer| with_token(layer, "a{b}:c"));
    let mut other = with_token(&layers[0], "other");
    let sessions = layers[1].sessions();
    assert!(!is_refused(&mut clients[0]).await);
    sessions
        .revoke_token("a{b}:c", ends_in(&side, HOUR))
        .await
        .expect("revokes");
    for client in &mut clients {
        assert!(is_refused(client).await);
    }
    assert!(sessions.is_token_revoked("a{b}:c").await.expect("is known"));
    assert!(!sessions.is_token_revoked("other").await.expect("is known"));
    assert!(!is_refused(&mut other).await);
    side.advance(HOUR + Duration::from_secs(58));
    assert!(is_refused(&mut clients[0]).await, "for a minute more");
    side.advance(Duration::from_secs(2));
    assert!(!is_refused(&mut clients[0]).await);
    assert_eq!(side.keys(), [""; 0]);
}

async fn where_nobody_knows_its_end_it_is_remembered_for_a_week(side: Side) {
    let layer = layer(&side);
    let mut client = with_token(&layer, "t");
    layer
        .sessions()
        .revoke_token("t", None)
        .await
        .expect("revokes");
    side.advance(7 * DAY - HOUR);
    assert!(is_refused(&mut client).await);
    side.advance(HOUR);
    assert!(!is_refused(&mut client).await);
}

async fn what_is_over_by_itself_is_not_remembered(side: Side) {
    let layer = layer(&side);
    let long_ago = SystemTime::UNIX_EPOCH;
    layer
        .sessions()
        .revoke_token("t", Some(long_ago))
        .await
        .expect("revokes");
    assert_eq!(side.keys(), [""; 0]);
    assert!(!is_refused(&mut with_token(&layer, "t")).await);
}

async fn with_a_revoked_token_no_session_is_read(side: Side) {
    let layer = layer(&side);
    let mut client = with_token(&layer, "t");
    client.login("ada").await;
    assert_eq!(client.user().await.as_deref(), Some("ada"));
    layer
        .sessions()
        .revoke_token("t", None)
        .await
        .expect("revokes");
    assert!(is_refused(&mut client).await);
    client.headers.clear();
    assert_eq!(
        client.user().await.as_deref(),
        Some("ada"),
        "the session is another matter"
    );
    assert_eq!(SessionError::Revoked.status(), StatusCode::UNAUTHORIZED);
}

/// The handler need not look: whoever identifies did.
async fn a_revoked_token_does_not_get_past_whoever_identifies(side: Side) {
    let layer = layer(&side);
    let handler = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Wire::default()));
    let ask = async |layered: bool| {
        let request = Request::get("/").header("x-token", "t").body(());
        let request = request.expect("a request");
        let answer = if layered {
            let service = layer.layer(IdentifyLayer::new().layer(handler));
            service.oneshot(request).await.expect("answers").status()
        } else {
            let service = layer.layer(handler);
            service.oneshot(request).await.expect("answers").status()
        };
        answer.as_u16()
    };
    assert_eq!(ask(true).await, 200);
    let sessions = layer.sessions();
    sessions.revoke_token("t", None).await.expect("revokes");
    assert_eq!(ask(true).await, 401);
    assert_eq!(ask(false).await, 200, "nobody asks");
}

#[tokio::test(flavor = "multi_thread")]
async fn session_and_token_are_one_round_trip() {
    let side = Side::redis();
    let mut client = with_token(&layer(&side), "t");
    client.login("ada").await;
    let server = side.server().expect("the side with a server");
    server.reset_stats();
    client.user().await;
    let stats = server.command_stats();
    for command in ["exists", "mget"] {
        assert_eq!(stats.get(command), Some(&1), "{command}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_not_believed_while_the_store_fails() {
    let mut side = Side::redis();
    let lenient = layer(&side).allow_anonymous_on_failure();
    let mut client = with_token(&lenient, "t");
    assert!(!is_refused(&mut client).await);
    side.command(&["ACL", "SETUSER", "default", "-exists", "-set"]);
    assert!(matches!(
        load(&mut client).await,
        Err(SessionError::Store(_))
    ));
    let revoked = lenient.sessions().revoke_token("t", None).await;
    assert!(
        matches!(revoked, Err(SessionError::Store(_))),
        "{revoked:?}"
    );
    side.server_mut().kill();
    let failed = tokio::time::timeout(2 * LONG, load(&mut client)).await;
    assert!(matches!(failed, Ok(Err(SessionError::Store(_)))));
    assert!(lenient.sessions().is_token_revoked("t").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_lies_under_a_tokens_key_it_is_revoked() {
    let side = Side::redis();
    let layer = layer(&side);
    layer
        .sessions()
        .revoke_token("t", None)
        .await
        .expect("revokes");
    let key = side.keys().remove(0);
    side.command(&["DEL", &key]);
    side.command(&["LPUSH", &key, "garbage"]);
    assert!(is_refused(&mut with_token(&layer, "t")).await);
}

on_both_stores!(
    a_revoked_token_is_refused_everywhere_until_it_ends_by_itself,
    where_nobody_knows_its_end_it_is_remembered_for_a_week,
    what_is_over_by_itself_is_not_remembered,
    with_a_revoked_token_no_session_is_read,
    a_revoked_token_does_not_get_past_whoever_identifies,
);
