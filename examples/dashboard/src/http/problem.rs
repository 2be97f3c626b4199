//! Refusals and failures as the client sees them (RFC 9457).

use std::{error::Error, fmt, sync::Arc};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use tower_keep::session::SessionError;

/// A response of the type `application/problem+json`.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            cause: None,
        }
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// Our fault. The detail is for people and names no internals.
    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.detail)
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        let problem = if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) {
            Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the database is busy; try again",
            )
        } else {
            Self::internal("the database could not answer")
        };
        Self {
            cause: Some(Arc::new(error)),
            ..problem
        }
    }
}

/// Where the store does not answer, nobody is taken for signed out.
impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        let status = error.status();
        if !status.is_server_error() {
            return Self::new(status, error.to_string());
        }
        Self {
            cause: Some(Arc::new(error)),
            ..Self::new(status, "nobody can be recognised now; try again")
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if let Some(cause) = &self.cause {
            crate::say(format_args!("{self}: {cause}"));
        }
        let body = json!({
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let media = HeaderValue::from_static("application/problem+json");
        (
            self.status,
            [(header::CONTENT_TYPE, media)],
            body.to_string(),
        )
            .into_response()
    }
}
