//! What caches after ours may do: ask.

use axum::response::Response;
use http::{HeaderValue, header};

/// Tells browsers to ask each time, unless the response says something else.
///
/// Our cache hears of every change; a browser's does not. Asking is cheap: with
/// the entity tag of the cached response, the answer is a 304 without a body.
pub(crate) async fn ask_each_time(mut response: Response) -> Response {
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("private, no-cache"));
    response
}
