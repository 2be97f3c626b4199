//! Sessions as extractors of axum.

use axum_core::{
    body::Body,
    extract::{FromRequestParts, OptionalFromRequestParts},
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

/// Nothing where no session is stored for the client: without a ticket, with one that leads nowhere, and, where the
/// layer goes on without the store, if that fails. Elsewhere a store that fails is a 503, as ever.
impl<S, T> OptionalFromRequestParts<S> for Session<T>
where
    S: Send + Sync,
    T: 'static,
{
    type Rejection = SessionError;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Option<Self>, SessionError> {
        let session = SessionHandle::of(&head.extensions)?.load_as().await?;
        Ok(Some(session).filter(Self::is_stored))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SessionHandle {
    type Rejection = SessionError;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, SessionError> {
        Self::of(&head.extensions)
    }
}

/// So that handlers can use `?`: with its [status](SessionError::status). The client is not told more; mistakes of
/// the application (500) are said in the log.
impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        if self.status() == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(error = %self, "a handler was not given its session, or misused it");
        }
        answer::problem(self.status(), None).map(Body::from)
    }
}
