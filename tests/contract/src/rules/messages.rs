//! Heads pass through untouched, except for fields that the layer is allowed to add.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, request};
use tower_keep_test_support::ScriptedBody;

use super::{broken, check, ensure};
use crate::{
    Broken, Contract, Kept, Wraps,
    exchange::answer,
    kind::Kind,
    rig::{Backing, Rig},
};

/// All rules of this module.
pub(crate) async fn all<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Vec<Broken> {
    broken([
        requests_pass_unchanged(contract).await,
        responses_pass_unchanged(contract).await,
    ])
}

/// Method, URI, version, fields and extensions of a request reach the inner service as they were,
/// for known and unknown methods, with repeated fields in order and values that are not UTF-8.
pub async fn requests_pass_unchanged<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Kept {
    check("messages::requests_pass_unchanged", async {
        let unknown = Method::from_bytes(b"BREW").expect("a token is a method");
        let known = [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
        ];
        let others = [Method::DELETE, Method::OPTIONS, unknown];
        for method in known.into_iter().chain(others) {
            let result = request_passes(contract, &method).await;
            let result = result.map_err(|how| format!("{method}: {how}"));
            result?;
        }
        Ok(())
    })
    .await
}

async fn request_passes<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    method: &Method,
) -> Result<(), String> {
    let seen: Arc<Mutex<Option<request::Parts>>> = Arc::default();
    let (sees, respond) = (Arc::clone(&seen), contract.responder());
    let rig = Rig::new(contract, Backing::Bare, move |request| {
        *sees.lock().unwrap_or_else(PoisonError::into_inner) = Some(request.into_parts().0);
        let response = respond(ScriptedBody::empty());
        async { Ok(response) }
    });
    let mut request = contract.request(Kind::Get);
    *request.method_mut() = method.clone();
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().extend(fields());
    request.extensions_mut().insert(Marker(1));
    let (sent, body) = request.into_parts();
    let request = http::Request::from_parts(sent.clone(), body);
    answer(contract, &mut rig.service(), request).await?;
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    let seen = seen.ok_or("the inner service was not called")?;
    equal("the method", &sent.method, &seen.method)?;
    equal("the URI", &sent.uri, &seen.uri)?;
    equal("the version", &sent.version, &seen.version)?;
    equal(
        "the extension",
        &Some(&Marker(1)),
        &seen.extensions.get::<Marker>(),
    )?;
    equal_fields(&sent.headers, &seen.headers, &contract.added_to_requests)
}

/// Status, version, fields and extensions of a response reach the client as they were.
pub async fn responses_pass_unchanged<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Kept {
    check("messages::responses_pass_unchanged", async {
        for kind in Kind::ALL {
            for status in STATUSES {
                let result = response_passes(contract, kind, status).await;
                let result = result.map_err(|how| format!("{status} to {kind:?}: {how}"));
                result?;
            }
        }
        Ok(())
    })
    .await
}

async fn response_passes<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    kind: Kind,
    status: StatusCode,
) -> Result<(), String> {
    let mut response = contract.response(ScriptedBody::empty());
    *response.status_mut() = status;
    *response.version_mut() = Version::HTTP_2;
    response.headers_mut().extend(fields());
    response.extensions_mut().insert(Marker(2));
    let (sent, _) = response.into_parts();
    let gives = sent.clone();
    let rig = Rig::new(contract, Backing::Bare, move |_| {
        let response = http::Response::from_parts(gives.clone(), ScriptedBody::empty());
        async { Ok(response) }
    });
    let response = answer(contract, &mut rig.service(), contract.request(kind)).await?;
    let (seen, _) = response.into_parts();
    equal("the status", &sent.status, &seen.status)?;
    equal("the version", &sent.version, &seen.version)?;
    equal(
        "the extension",
        &Some(&Marker(2)),
        &seen.extensions.get::<Marker>(),
    )?;
    equal_fields(&sent.headers, &seen.headers, &contract.added_to_responses)
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, sent: &T, seen: &T) -> Result<(), String> {
    ensure(sent == seen, || {
        format!("{what} was {sent:?} and became {seen:?}")
    })
}

fn equal_fields(sent: &HeaderMap, seen: &HeaderMap, added: &[HeaderName]) -> Result<(), String> {
    let mut seen = seen.clone();
    for name in added.iter().filter(|name| !sent.contains_key(*name)) {
        seen.remove(name);
    }
    equal("the fields", sent, &seen)
}

fn fields() -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.append("x-contract", HeaderValue::from_static("first"));
    fields.append("x-contract", HeaderValue::from_static("second, third"));
    fields.append("x-contract", HeaderValue::from_static("first"));
    let opaque = HeaderValue::from_bytes(b"\xff\xfe caf\xe9").expect("opaque bytes are a value");
    fields.insert("x-opaque", opaque);
    fields.insert("x-empty", HeaderValue::from_static(""));
    fields
}

/// An extension of a type that no layer can know.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Marker(u64);

const STATUSES: [StatusCode; 7] = [
    StatusCode::OK,
    StatusCode::NO_CONTENT,
    StatusCode::MOVED_PERMANENTLY,
    StatusCode::NOT_FOUND,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::SERVICE_UNAVAILABLE,
];
