//! A site on axum, for processes of their own to run.

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use tower_keep_session::{Session, SessionError, SessionHandle, SessionLayer};
use tower_keep_test_support::Gate;

/// The site: each address does one thing to the session. What is under `/slow` loads the session, and waits at
/// the gate before it goes on.
pub(crate) fn site(layer: SessionLayer) -> Router {
    let gate = Gate::closed();
    let (waiting, opened, closed) = (gate.clone(), gate.clone(), gate.clone());
    let slow = Router::new()
        .route("/set/{name}/{value}", post(slow_set))
        .route("/add/{name}", post(slow_add))
        .route("/login/{user}", post(slow_login))
        .route("/rotate", post(slow_rotate))
        .with_state(gate);
    Router::new()
        .route("/login/{user}", post(login))
        .route("/everywhere", post(everywhere))
        .route("/logout", post(logout))
        .route("/rotate", post(rotate))
        .route("/me", get(me))
        .route("/get/{name}", get(value))
        .route("/set/{name}/{value}", post(set))
        .route("/both/{value}", post(both))
        .route("/add/{name}", post(add))
        .nest("/slow", slow)
        .layer(layer)
        .route("/waiting", get(async move || waiting.waiters().to_string()))
        .route("/open", post(async move || opened.open()))
        .route("/close", post(async move || closed.close()))
}

async fn login(session: Session, Path(user): Path<String>) -> Result<(), SessionError> {
    session.login(user, 1).await
}

async fn everywhere(session: Session) -> Result<(), SessionError> {
    session.logout_everywhere().await
}

async fn logout(session: Session) -> Result<(), SessionError> {
    session.logout().await
}

async fn rotate(session: Session) -> Result<(), SessionError> {
    session.rotate().await
}

async fn me(session: Session) -> Result<String, SessionError> {
    session.user().ok_or(SessionError::Anonymous)
}

async fn value(session: Session, Path(name): Path<String>) -> Result<String, SessionError> {
    let value = session.get::<i64>(&name)?.unwrap_or_default();
    Ok(value.to_string())
}

async fn set(
    session: Session,
    Path((name, value)): Path<(String, i64)>,
) -> Result<(), SessionError> {
    session.set(&name, &value)
}

/// Two fields at once: they never differ.
async fn both(session: Session, Path(value): Path<i64>) -> Result<(), SessionError> {
    session.set("left", &value)?;
    session.set("right", &value)
}

async fn add(session: Session, Path(name): Path<String>) -> Result<String, SessionError> {
    Ok(session.increment(&name, 1).await?.to_string())
}

async fn slow_set(
    handle: SessionHandle,
    State(gate): State<Gate>,
    Path((name, value)): Path<(String, i64)>,
) -> Result<(), SessionError> {
    let session = handle.load().await?;
    gate.pass().await;
    session.set(&name, &value)
}

async fn slow_add(
    session: Session,
    State(gate): State<Gate>,
    Path(name): Path<String>,
) -> Result<StatusCode, SessionError> {
    gate.pass().await;
    in_time(session.increment(&name, 1).await.map(drop))
}

async fn slow_login(
    session: Session,
    State(gate): State<Gate>,
    Path(user): Path<String>,
) -> Result<StatusCode, SessionError> {
    gate.pass().await;
    in_time(session.login(user, 1).await)
}

async fn slow_rotate(
    session: Session,
    State(gate): State<Gate>,
) -> Result<StatusCode, SessionError> {
    gate.pass().await;
    in_time(session.rotate().await)
}

/// Whoever comes too late is told so, and that is no failure.
fn in_time(result: Result<(), SessionError>) -> Result<StatusCode, SessionError> {
    match result {
        Ok(()) => Ok(StatusCode::OK),
        Err(SessionError::Ended) => Ok(StatusCode::GONE),
        Err(error) => Err(error),
    }
}
