//! Why the origin's answer did not come.

use std::{error::Error, fmt};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper_util::client::legacy;

use super::body::BodyError;
use crate::answer::problem;

/// What kept a request from being answered by the origin.
#[derive(Debug)]
pub(crate) enum ProxyError {
    /// There is no connection to be had.
    Unreachable(legacy::Error),
    /// It took the request, and broke off before it answered.
    Broken(legacy::Error),
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
    pub(super) fn of(error: legacy::Error) -> Self {
        if error.is_connect() {
            return Self::Unreachable(error);
        }
        match of_request(&error) {
            Some(BodyError::TimedOut) => Self::RequestTimedOut,
            Some(BodyError::TooLarge) => Self::RequestTooLarge,
            Some(BodyError::Inner(_)) => Self::RequestBroken,
            None => Self::Broken(error),
        }
    }

    /// What the client is told: whose fault it is, and no more of what is behind.
    pub(crate) fn answer(&self) -> Response<Full<Bytes>> {
        let status = match self {
            Self::Unreachable(_) | Self::Broken(_) | Self::Upgraded => StatusCode::BAD_GATEWAY,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            Self::RequestTimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::RequestBroken => StatusCode::BAD_REQUEST,
            Self::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        };
        problem(status, &self.to_string())
    }
}

/// The request's own body, if that is what broke.
fn of_request(error: &legacy::Error) -> Option<&BodyError<hyper::Error>> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(body) = error.downcast_ref() {
            return Some(body);
        }
        cause = error.source();
    }
    None
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable(_) => "the origin cannot be reached",
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
            Self::Unreachable(error) | Self::Broken(error) => Some(error),
            _ => None,
        }
    }
}
