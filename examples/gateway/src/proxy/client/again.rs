//! What may be asked again.

use std::{error::Error, io};

use http::{Extensions, Request};
use hyper_util::client::legacy;

use super::RequestBody;
use crate::proxy::connection::HasAnswered;

/// A request that can be sent twice, without what the origin does not get.
pub(super) fn again(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let mut again = Request::new(request.body().again()?);
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.version_mut() = request.version();
    *again.headers_mut() = request.headers().clone();
    Some(again)
}

/// Whether nothing changes if the origin does it twice (RFC 9110 §9.2.2).
pub(super) fn may_be_done_twice(request: &Request<RequestBody>) -> bool {
    request.method().is_idempotent()
}

/// Whether the origin says that it did nothing with a request, whatever its method (RFC 9113 §8.7): it came when the
/// connection was about to be closed, as servers do after some number of requests, or was refused. Or it was still
/// waiting for its turn when the connection ended, which hyper calls our own fault; other faults of ours there are none,
/// without a body that is still to come.
pub(super) fn is_untouched(error: &hyper::Error, request: &Request<RequestBody>) -> bool {
    if error.is_user() {
        return may_be_done_twice(request);
    }
    let cause = error.source().and_then(<dyn Error>::downcast_ref);
    cause.is_some_and(|error: &h2::Error| match error.reason() {
        Some(h2::Reason::NO_ERROR) => error.is_go_away() && error.is_remote(),
        Some(h2::Reason::REFUSED_STREAM) => error.is_reset() && error.is_remote(),
        _ => false,
    })
}

/// Whether the origin closed a connection in HTTP/1.1 that had been idle, just when a request came (RFC 9112 §9.3.1).
pub(super) fn was_closed(error: &legacy::Error) -> bool {
    let mut extensions = Extensions::new();
    if let Some(connection) = error.connect_info() {
        connection.get_extras(&mut extensions);
    }
    let was_used = extensions.get().is_some_and(HasAnswered::is_set);
    let cause = error.source().and_then(|error| error.downcast_ref());
    was_used && cause.is_some_and(has_ended)
}

fn has_ended(error: &hyper::Error) -> bool {
    let io = error
        .source()
        .and_then(|error| error.downcast_ref::<io::Error>());
    let is_closed = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        )
    };
    error.is_incomplete_message() || io.is_some_and(is_closed)
}
