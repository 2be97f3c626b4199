//! `POST /api/login`, `/api/tokens`, `/api/logout`, `/api/logout-everywhere`, and `GET /api/me`.

use axum::{Extension, Json, extract::State};
use http::StatusCode;
use tower_keep::session::{Login, SessionHandle};

use super::{account::Account, credentials::Credentials, signed_in::SignedIn};
use crate::{
    app::AppState,
    http::{Problem, QueryCount},
};

/// The ticket goes where the session layer of the route puts it: into a cookie, or, for tokens, into
/// `Session-Ticket`.
pub(crate) async fn login(
    State(app): State<AppState>,
    count: QueryCount,
    session: SessionHandle,
    Extension(credentials): Extension<Credentials>,
) -> Result<Json<Account>, Problem> {
    let session = session.load().await?;
    let remember = credentials.remember.unwrap_or(true);
    let account = Account::check(&app, &count, credentials).await?;
    // An unknown address and a wrong password get the same answer.
    let account = account.ok_or_else(|| {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "the email address or the password is wrong",
        )
    })?;
    let login = Login::new(account.id.to_string(), KNOWS_PASSWORD);
    session.login_with(login.remember(remember)).await?;
    Ok(Json(account))
}

pub(crate) async fn me(SignedIn(account): SignedIn) -> Json<Account> {
    Json(account)
}

/// Whoever is not signed in has nothing to end, and is told so all the same.
pub(crate) async fn logout(session: SessionHandle) -> Result<StatusCode, Problem> {
    session.load().await?.logout().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn logout_everywhere(session: SessionHandle) -> Result<StatusCode, Problem> {
    session.load().await?.logout_everywhere().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The session layer's levels say how surely somebody is who they say.
const KNOWS_PASSWORD: u8 = 1;
