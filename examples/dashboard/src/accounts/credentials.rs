//! What a client shows to sign in.

use std::fmt;

use axum::{
    body::Body,
    extract::{FromRequest, Request},
    middleware::Next,
    response::Response,
};
use serde::Deserialize;

use crate::http::{Problem, RawBody, json};

/// An address and a password, as they were sent, and whether the browser is to forget when it is closed.
#[derive(Clone, Deserialize)]
pub(crate) struct Credentials {
    pub(super) email: String,
    pub(super) password: String,
    #[serde(default)]
    pub(super) remember: Option<bool>,
}

impl Credentials {
    /// Reads them from the body, and leaves them where the limit of failures can see whose they are.
    pub(crate) async fn read(request: Request, next: Next) -> Result<Response, Problem> {
        let (mut head, body) = request.into_parts();
        let whole = Request::from_parts(head.clone(), body);
        let RawBody(body) = RawBody::from_request(whole, &()).await?;
        let mut credentials: Self = json(&body)?;
        credentials.email = credentials.email.trim().to_lowercase();
        head.extensions.insert(credentials);
        Ok(next.run(Request::from_parts(head, Body::empty())).await)
    }

    /// Whose they claim to be.
    pub(crate) fn email(&self) -> &str {
        &self.email
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}
