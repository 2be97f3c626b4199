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

/// Tells everybody to keep nothing: whoever signs out on a shared machine leaves no page behind.
pub(crate) async fn keep_nothing(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
