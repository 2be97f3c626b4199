//! What can go wrong with a session.

use std::{error::Error, fmt};

use http::StatusCode;
use tower_keep_store::StoreError;

use crate::{answer, value_error::ValueError};

/// What a session could not do.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// The store did not answer. Whether there is a session is not known: it is not "none".
    Store(StoreError),
    /// The session may only be read, because the store failed when it was loaded and the route allows that.
    ReadOnly,
    /// The session has ended meanwhile: by a logout, a revocation, a rotation, or its time.
    Ended,
    /// The token with which the request comes was [revoked](crate::Sessions::revoke_token).
    Revoked,
    /// Nobody is logged in.
    Anonymous,
    /// The user has as many sessions as are allowed, and none may be ended for a new one.
    TooManySessions,
    /// A value cannot be written as JSON, or what is stored under its name cannot be read as one.
    Value(ValueError),
    /// The field does not hold a whole number.
    NotANumber,
    /// The session would be larger than is allowed.
    TooLarge,
    /// Others changed the field again and again meanwhile.
    Contended,
    /// The response is under way, or the client has left: nobody can tell it a new ticket any more.
    TooLate,
    /// There is no session layer around this handler.
    NoLayer,
}

impl SessionError {
    /// How a response says so: 503 where the store failed, 401 where nobody is logged in or the session or the
    /// token has ended, 409 and 413 where a value is contended or too large, 500 for mistakes of the application.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Store(_) | Self::ReadOnly => StatusCode::SERVICE_UNAVAILABLE,
            Self::Ended | Self::Revoked | Self::Anonymous => StatusCode::UNAUTHORIZED,
            Self::TooManySessions | Self::Contended => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Value(_) | Self::NotANumber | Self::TooLate | Self::NoLayer => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// How a call of gRPC says so: 14 (unavailable), 16 (unauthenticated), 10 (aborted) and 8 (resource exhausted), 13
    /// (internal), in the order of [`status`](Self::status). With tonic:
    /// `Status::new(error.grpc_code().into(), error.to_string())`.
    #[must_use]
    pub fn grpc_code(&self) -> i32 {
        answer::grpc_code(self.status())
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store(_) => "the session store failed",
            Self::ReadOnly => "the session can only be read while its store fails",
            Self::Ended => "the session has ended",
            Self::Revoked => "the token was revoked",
            Self::Anonymous => "nobody is logged in",
            Self::TooManySessions => "the user has too many sessions",
            Self::Value(_) => "a value of the session cannot be converted",
            Self::NotANumber => "the field does not hold a whole number",
            Self::TooLarge => "the session would be too large",
            Self::Contended => "the field is changed by too many others",
            Self::TooLate => "the response is under way, and no new ticket can be told",
            Self::NoLayer => "there is no session layer around this handler",
        })
    }
}

impl Error for SessionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Value(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ValueError> for SessionError {
    fn from(error: ValueError) -> Self {
        Self::Value(error)
    }
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
