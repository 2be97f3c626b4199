//! Why the origin's answer did not come.

use std::{error::Error, fmt, sync::Arc};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper_util::client::legacy;
use tower::BoxError;

use super::{body::BodyError, connection::ConnectError};
use crate::{answer::problem, causes::causes};

/// What kept a request from being answered by the origin.
#[derive(Debug)]
pub(crate) enum ProxyError {
    /// There is no connection to be had.
    Unreachable(BoxError),
    /// There was none in time.
    ConnectTimedOut,
    /// It took the request, and broke off before it answered.
    Broken(BoxError),
    /// It took the request, and did not answer in time.
    TimedOut,
    /// It went over to another protocol, which nobody asked for.
    Upgraded,
    /// The client did not send what it promised in time.
    RequestTimedOut,
    /// What the client sent is no body, or it left in the middle.
    RequestBroken,
    /// The client sends more than is taken.
    RequestTooLarge,
}

impl ProxyError {
    pub(super) fn of_http1(error: legacy::Error) -> Self {
        if !error.is_connect() {
            return Self::of(error);
        }
        match find(&error) {
            Some(ConnectError::TimedOut) => Self::ConnectTimedOut,
            _ => Self::Unreachable(error.into()),
        }
    }

    pub(super) fn of_connect(error: Arc<ConnectError>) -> Self {
        match *error {
            ConnectError::TimedOut => Self::ConnectTimedOut,
            _ => Self::Unreachable(error.into()),
        }
    }

    /// Of a request that was on its way.
    pub(super) fn of(error: impl Error + Send + Sync + 'static) -> Self {
        match find::<BodyError<hyper::Error>>(&error) {
            Some(error) => error.fault().into(),
            None => Self::Broken(error.into()),
        }
    }

    /// What the client is told: whose fault it is, and no more of what is behind.
    pub(crate) fn answer(&self) -> Response<Full<Bytes>> {
        let status = match self {
            Self::Unreachable(_) | Self::Broken(_) | Self::Upgraded => StatusCode::BAD_GATEWAY,
            Self::TimedOut | Self::ConnectTimedOut => StatusCode::GATEWAY_TIMEOUT,
            Self::RequestTimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::RequestBroken => StatusCode::BAD_REQUEST,
            Self::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        };
        problem(status, &self.to_string())
    }
}

/// The cause of this kind, if there is one.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|error| error.downcast_ref())
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable(_) => "the origin cannot be reached",
            Self::ConnectTimedOut => "the origin could not be reached in time",
            Self::Broken(_) => "the origin broke off",
            Self::TimedOut => "the origin did not answer in time",
            Self::Upgraded => "the origin changed the protocol unasked",
            Self::RequestTimedOut => "the request did not come in time",
            Self::RequestBroken => "the request's body is none",
            Self::RequestTooLarge => "the body is too large",
        })
    }
}

impl Error for ProxyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreachable(error) | Self::Broken(error) => Some(&**error),
            _ => None,
        }
    }
}
