//! Sessions as extractors of axum.

use axum_core::{
    body::Body,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};

use crate::{answer, error::SessionError, handle::SessionHandle, session::Session};

/// Loads the session. Where the store fails: 503, or, where the layer allows it, a session that is empty and
/// can only be read.
impl<S, T> FromRequestParts<S> for Session<T>
where
    S: Send + Sync,
    T: 'static,
{
    type Rejection = SessionError;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, SessionError> {
        SessionHandle::of(&head.extensions)?.load_as().await
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SessionHandle {
    type Rejection = SessionError;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, SessionError> {
        Self::of(&head.extensions)
    }
}

/// So that handlers can use `?`: 503 where the store failed, 401 where nobody is logged in or the session has
/// ended, 409 and 413 where a value is contended or too large, 500 for mistakes of the application.
impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Store(_) | Self::ReadOnly => return answer::unavailable().map(Body::from),
            Self::Ended | Self::Anonymous => StatusCode::UNAUTHORIZED,
            Self::TooManySessions | Self::Contended => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Value(_) | Self::NotANumber | Self::NoLayer => StatusCode::INTERNAL_SERVER_ERROR,
        };
        status.into_response()
    }
}
