//! Responses made of what is stored.

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{
        AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE,
        CONTENT_TYPE,
    },
};
use http_body::Body;
use tower_keep_store::Timestamp;

use super::{
    entry::StoredResponse,
    multipart::multipart,
    place::{Place, forget_digests},
    range::{Part, is_of_the_same, specs_of},
    reporter::Reporter,
    request::Lookup,
    status::{Forward, Report},
    validation::is_not_modified,
};
use crate::{body::ResponseBody, engine::entry::Meta};

/// What of a request shapes the answer from a stored response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) head: bool,
    pub(crate) ranged: bool,
    pub(crate) headers: &'a HeaderMap,
}

impl<'a> Asked<'a> {
    pub(crate) fn of(lookup: &Lookup, headers: &'a HeaderMap) -> Self {
        Self {
            head: lookup.head,
            ranged: lookup.ranged,
            headers,
        }
    }
}

/// The stored response, as this request is to see it: whole, without its body for HEAD, or as 304 if
/// the client has it already.
pub(crate) fn from_stored<B: Body>(
    stored: &StoredResponse,
    asked: Asked<'_>,
    fields: HeaderMap,
) -> Response<ResponseBody<B>> {
    if stored.status == StatusCode::OK && is_not_modified(asked.headers, &stored.headers) {
        return not_modified(fields);
    }
    if asked.ranged && stored.status == StatusCode::OK && stored.trailers.is_none() {
        match Part::of(asked.headers, &stored.headers, stored.body.len()) {
            Part::Bytes(range) => return part(&stored.body, range, fields),
            // A client that undoes a coding would undo it on the parts and what separates them.
            Part::Several(_) if fields.contains_key(CONTENT_ENCODING) => {}
            Part::Several(ranges) => return parts(&stored.body, &ranges, fields),
            Part::Unsatisfiable => return unsatisfiable(stored.body.len(), fields),
            Part::Whole => {}
        }
    }
    let mut response = Response::new(if asked.head {
        ResponseBody::empty()
    } else {
        ResponseBody::stored(stored.body.clone(), stored.trailers.clone())
    });
    *response.status_mut() = stored.status;
    *response.headers_mut() = fields;
    response
}

/// 206 with these bytes (RFC 9110 §15.3.7).
fn part<B: Body>(
    body: &Bytes,
    range: Range<usize>,
    mut fields: HeaderMap,
) -> Response<ResponseBody<B>> {
    let Range { start, end } = range;
    let said = format!("bytes {start}-{}/{}", end - 1, body.len());
    forget_digests(&mut fields);
    fields.insert(CONTENT_RANGE, visible(&said));
    fields.insert(CONTENT_LENGTH, (end - start).into());
    let mut response = Response::new(ResponseBody::stored(body.slice(start..end), None));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    *response.headers_mut() = fields;
    response
}

/// 206 with the bytes that are asked for, if they are all in this stored part.
pub(crate) fn from_part<B: Body>(
    stored: &StoredResponse,
    asked: Asked<'_>,
    fields: impl FnOnce() -> HeaderMap,
) -> Option<Response<ResponseBody<B>>> {
    let place = Place::of(&stored.headers)?;
    let [spec] = specs_of(asked.headers)?[..] else {
        return None;
    };
    let range = place.requested(spec)?;
    // What comes from the store is not trusted.
    if stored.body.len() != place.bytes.len() || !is_of_the_same(asked.headers, &stored.headers) {
        return None;
    }
    let start = range.start - place.bytes.start;
    let data = stored.body.slice(start..start + range.len());
    let mut fields = fields();
    fields.insert(CONTENT_LENGTH, range.len().into());
    let part = Place {
        bytes: range,
        complete: place.complete,
    };
    fields.insert(CONTENT_RANGE, part.field());
    let mut response = Response::new(ResponseBody::stored(data, None));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    *response.headers_mut() = fields;
    Some(response)
}

/// 206 with several ranges. "A server MUST NOT generate a Content-Range header field in the HTTP header section of a
/// multiple part response" (RFC 9110 §15.3.7.2).
fn parts<B: Body>(
    body: &Bytes,
    ranges: &[Range<usize>],
    mut fields: HeaderMap,
) -> Response<ResponseBody<B>> {
    let (kind, content) = multipart(body, ranges, fields.get(CONTENT_TYPE));
    forget_digests(&mut fields);
    fields.insert(CONTENT_TYPE, kind);
    fields.insert(CONTENT_LENGTH, content.len().into());
    let mut response = Response::new(ResponseBody::stored(content, None));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    *response.headers_mut() = fields;
    response
}

/// 416, with the length that there is (RFC 9110 §15.5.17).
fn unsatisfiable<B: Body>(length: usize, fields: HeaderMap) -> Response<ResponseBody<B>> {
    let mut response = not_modified(fields);
    *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
    let said = format!("bytes */{length}");
    response.headers_mut().insert(CONTENT_RANGE, visible(&said));
    response
}

fn visible(said: &str) -> HeaderValue {
    HeaderValue::from_str(said).expect("a content range is visible ASCII")
}

/// 304 with these fields, but those of a content that it does not have.
pub(crate) fn not_modified<B: Body>(mut fields: HeaderMap) -> Response<ResponseBody<B>> {
    let described: Vec<_> = fields
        .keys()
        .filter(|name| describes_content(name))
        .cloned()
        .collect();
    for name in described {
        fields.remove(name);
    }
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.headers_mut() = fields;
    response
}

/// The stored fields, with what is said anew each time.
pub(crate) fn fields(
    stored: &StoredResponse,
    meta: &Meta,
    report: Report,
    status: &Reporter,
    now: Timestamp,
) -> HeaderMap {
    let age = current_age(stored, meta, now).as_secs();
    stored.said.fields(age, report, || {
        // Room for what is added, so that adding it does not move the rest.
        let mut fields = HeaderMap::with_capacity(stored.headers.len() + 2);
        for (name, value) in &stored.headers {
            fields.append(name, value.clone());
        }
        fields.insert(AGE, age.into());
        status.write(report, &mut fields);
        fields
    })
}

/// `only-if-cached`, and it is not (RFC 9111 §5.2.1.7).
pub(crate) fn not_cached<B: Body>(status: &Reporter) -> Response<ResponseBody<B>> {
    gateway_timeout(status, Report::Refused)
}

/// The origin took longer than it may (RFC 9110 §15.6.5).
pub(crate) fn timed_out<B: Body>(status: &Reporter, why: Forward) -> Response<ResponseBody<B>> {
    gateway_timeout(status, Report::TimedOut(why))
}

fn gateway_timeout<B: Body>(status: &Reporter, report: Report) -> Response<ResponseBody<B>> {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    status.write(report, headers);
    response
}

/// Seconds of freshness that are left; negative once there are none.
pub(crate) fn seconds_left(meta: &Meta, now: Timestamp) -> i64 {
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    if now <= meta.fresh_until {
        seconds(meta.fresh_until.since(now))
    } else {
        // Less than a second past is past.
        let past = now.since(meta.fresh_until);
        -seconds(past + Duration::from_nanos(999_999_999))
    }
}

/// RFC 9111 §4.2.3, `current_age`.
pub(crate) fn current_age(stored: &StoredResponse, meta: &Meta, now: Timestamp) -> Duration {
    stored.initial_age + now.since(meta.received)
}

/// What a 304 does not repeat (RFC 9110 §15.4.5).
fn describes_content(name: &HeaderName) -> bool {
    name.as_str().starts_with("content-") && name != CONTENT_LOCATION
        // A policy for the page, not a property of the bytes.
        && name != http::header::CONTENT_SECURITY_POLICY
}
