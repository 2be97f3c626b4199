use std::future::poll_fn;

use bytes::Bytes;
use http::{HeaderMap, Request};
use tower::Service;
use tower_keep_test_support::ScriptedBody;

use crate::{
    Contract, InnerError, Wraps,
    polling::within,
    transcript::{Event, Transcript, transcript},
    wraps::{Answer, Layered},
};

/// Readies a service and calls it, as a client that keeps Tower's contract.
pub(crate) async fn outcome<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    service: &mut Layered<L>,
    request: Request<ScriptedBody>,
) -> Result<Result<Answer<L>, InnerError>, String> {
    let ready = poll_fn(|cx| service.poll_ready(cx));
    if let Err(error) = within(contract.patience, "readiness", ready).await? {
        return Ok(Err(error));
    }
    within(contract.patience, "the response", service.call(request)).await
}

/// The same, where a response is expected.
pub(crate) async fn answer<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    service: &mut Layered<L>,
    request: Request<ScriptedBody>,
) -> Result<Answer<L>, String> {
    let outcome = outcome(contract, service, request).await?;
    outcome.map_err(|error| format!("a call failed that should succeed: {error:?}"))
}

/// The same, and the whole body.
pub(crate) async fn exchange<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    service: &mut Layered<L>,
    request: Request<ScriptedBody>,
) -> Result<Transcript, String> {
    let body = answer(contract, service, request).await?.into_body();
    within(contract.patience, "the end of the body", transcript(body)).await
}

/// The bytes and the trailers of a body that ended well, whatever its frames were.
pub(crate) fn content(transcript: Transcript) -> Result<(Vec<u8>, HeaderMap), String> {
    let (mut bytes, mut trailers) = (Vec::new(), HeaderMap::new());
    for moment in transcript {
        match moment.event {
            Event::Data(data) => bytes.extend_from_slice(&data),
            Event::Trailers(fields) => trailers.extend(fields),
            Event::Error(number) => return Err(format!("a body broke with error {number}")),
            Event::End => {}
        }
    }
    Ok((bytes, trailers))
}

/// An exchange whose answer must have the content of this body.
pub(crate) async fn exchange_of<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    service: &mut Layered<L>,
    request: Request<ScriptedBody>,
    body: ScriptedBody,
) -> Result<(), String> {
    let expected = content(transcript(body).await)?;
    let seen = content(exchange(contract, service, request).await?)?;
    if seen == expected {
        return Ok(());
    }
    let (seen, expected) = (Bytes::from(seen.0), Bytes::from(expected.0));
    Err(format!(
        "the body was {seen:?}, or its trailers differ; expected {expected:?}"
    ))
}
