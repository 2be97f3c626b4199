//! Input from outside, read so that what is wrong with it is said as a [`Problem`].

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
};
use http::{StatusCode, request::Parts};
use serde::de::DeserializeOwned;

use super::Problem;

/// The number in the path.
///
/// What is not a number names nothing, so it is a 404 and not a 400.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id(pub(crate) i64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Path::<i64>::from_request_parts(parts, state)
            .await
            .map(|Path(id)| Self(id))
            .map_err(|_| Problem::not_found("there is nothing under this address"))
    }
}

/// The query parameters.
#[derive(Debug)]
pub(crate) struct Filter<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Filter<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Query::<T>::from_request_parts(parts, state)
            .await
            .map(|Query(filter)| Self(filter))
            .map_err(|rejection| Problem::bad_request(rejection.body_text()))
    }
}

/// The body as it came, within the limit of the route.
#[derive(Debug)]
pub(crate) struct RawBody(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Bytes::from_request(request, state)
            .await
            .map(Self)
            .map_err(|rejection| {
                if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
                } else {
                    Problem::bad_request("the body could not be read")
                }
            })
    }
}

/// Reads `body` as JSON: 400 when it is none, 422 when it says something else
/// than it should.
pub(crate) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Problem::unprocessable(error.to_string()),
        _ => Problem::bad_request(format!("the body is not JSON: {error}")),
    })
}
