//! Requests of somebody who is signed in.

use axum::extract::FromRequestParts;
use http::{StatusCode, request::Parts};
use tower_keep::session::SessionHandle;

use super::account::Account;
use crate::{
    app::AppState,
    http::{Problem, QueryCount},
};

/// The account that asks; where there is none, the answer is 401.
#[derive(Debug)]
pub(crate) struct SignedIn(pub(super) Account);

impl FromRequestParts<AppState> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        let session = SessionHandle::of(&parts.extensions)?.load().await?;
        let id = session.user().and_then(|user| user.parse().ok());
        let id = id.ok_or_else(nobody)?;
        let count = parts.extensions.get::<QueryCount>();
        let count = count.cloned().unwrap_or_default();
        let load = app.database.read(&count, move |sql| Account::load(sql, id));
        load.await?.map(Self).ok_or_else(nobody)
    }
}

fn nobody() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "nobody is signed in")
}
