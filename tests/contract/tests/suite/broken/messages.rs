//! The layers that change heads.

use http::{HeaderValue, Request, Response, StatusCode, header};
use tower::ServiceExt;
use tower_keep_contract::messages;
use tower_keep_test_support::ScriptedBody;

use super::{broken, contract};
use crate::layers::{around, boxed};

#[tokio::test]
async fn every_change_to_a_requests_head_is_caught() {
    for &(change, how) in REQUEST_CHANGES {
        let contract = contract(move || {
            around(move |inner, mut request| async move {
                change(&mut request);
                Ok(boxed(inner.oneshot(request).await?))
            })
        });
        let kept = messages::requests_pass_unchanged(&contract).await;
        broken(kept, "messages::requests_pass_unchanged", how);
    }
}

#[tokio::test]
async fn every_change_to_a_responses_head_is_caught() {
    for &(change, how) in RESPONSE_CHANGES {
        let contract = contract(move || {
            around(move |inner, request| async move {
                let mut response = inner.oneshot(request).await?;
                change(&mut response);
                Ok(boxed(response))
            })
        });
        let kept = messages::responses_pass_unchanged(&contract).await;
        broken(kept, "messages::responses_pass_unchanged", how);
    }
}

type Changes<M> = &'static [(fn(&mut M), &'static str)];

const REQUEST_CHANGES: Changes<Request<ScriptedBody>> = &[
    (
        |request| *request.method_mut() = http::Method::GET,
        "the method",
    ),
    (
        |request| *request.uri_mut() = "/".parse().unwrap(),
        "the URI",
    ),
    (
        |request| *request.version_mut() = http::Version::HTTP_11,
        "the version",
    ),
    (|request| request.extensions_mut().clear(), "the extension"),
    (
        |request| drop(request.headers_mut().remove("x-opaque")),
        "the fields",
    ),
    (
        |request| drop(request.headers_mut().insert(header::VIA, VALUE)),
        "the fields",
    ),
    (
        |request| drop(request.headers_mut().insert("x-contract", VALUE)),
        "the fields",
    ),
];

const RESPONSE_CHANGES: Changes<Response<ScriptedBody>> = &[
    (
        |response| *response.status_mut() = StatusCode::OK,
        "the status",
    ),
    (
        |response| *response.version_mut() = http::Version::HTTP_11,
        "the version",
    ),
    (
        |response| response.extensions_mut().clear(),
        "the extension",
    ),
    (
        |response| drop(response.headers_mut().remove("x-opaque")),
        "the fields",
    ),
    (
        |response| drop(response.headers_mut().insert(header::VIA, VALUE)),
        "the fields",
    ),
    (
        |response| drop(response.headers_mut().insert("x-contract", VALUE)),
        "the fields",
    ),
];

const VALUE: HeaderValue = HeaderValue::from_static("changed");
