//! What may be asked again.

use std::error::Error;

use http::Request;

use super::RequestBody;

/// A request that may be sent twice, without what the origin does not get.
pub(super) fn again(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    if !request.method().is_idempotent() {
        return None;
    }
    let mut again = Request::new(request.body().again()?);
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.version_mut() = request.version();
    *again.headers_mut() = request.headers().clone();
    Some(again)
}

/// Whether the origin says that it did nothing with a request: it came when the connection was about to be closed, as
/// servers do after some number of requests, or was refused (RFC 9113 §8.7). Or it was still waiting for its turn when
/// the connection ended, which hyper calls our own fault; other faults of ours there are none, without a body.
pub(super) fn is_untouched(error: &hyper::Error) -> bool {
    if error.is_user() {
        return true;
    }
    let cause = error.source().and_then(<dyn Error>::downcast_ref);
    cause.is_some_and(|error: &h2::Error| match error.reason() {
        Some(h2::Reason::NO_ERROR) => error.is_go_away() && error.is_remote(),
        Some(h2::Reason::REFUSED_STREAM) => error.is_reset() && error.is_remote(),
        _ => false,
    })
}
