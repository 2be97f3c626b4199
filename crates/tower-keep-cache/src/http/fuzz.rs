//! Hostile fields and records through every function that reads them: none panics, and none makes more of them than
//! they are.
//!
//! Not `cargo-fuzz`, which needs a nightly compiler. These run with the other tests; `PROPTEST_CASES` makes them run
//! for longer.

use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use proptest::prelude::*;
use tower_keep_store::Timestamp;

use super::{
    answer::{self, Asked},
    control::Control,
    demands::Demands,
    entry::{Stored, StoredResponse, kept_headers},
    freshening::freshened,
    freshness::{Times, heuristic_lifetime, initial_age, stated_lifetime},
    head::agreement,
    key::KeyRules,
    place::Place,
    reporter::Reporter,
    request::{Plan, plan, posting},
    said::Said,
    status::Report,
    storing::{StoringRules, tests::by_the_rfc},
    targeted::TargetFields,
    validation::{has_validator, is_conditional_at_origin, is_not_modified},
    vary::{Normalising, Variance, variant_of},
};
use crate::{
    body::ResponseBody,
    engine::{
        entry::{Meta, Usability},
        envelope::{self, Value, tests::entry},
    },
};

/// The fields that anything here reads.
const NAMES: [HeaderName; 24] = [
    header::CACHE_CONTROL,
    header::AGE,
    header::DATE,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::ETAG,
    header::VARY,
    header::RANGE,
    header::IF_RANGE,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::CONTENT_RANGE,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONTENT_LOCATION,
    header::CONNECTION,
    header::PRAGMA,
    header::HOST,
    header::FORWARDED,
    header::COOKIE,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    HeaderName::from_static("surrogate-control"),
    HeaderName::from_static("cdn-cache-control"),
];

/// What values are made of, beside what is random.
const PIECES: [&str; 36] = [
    "max-age=",
    "s-maxage=",
    "no-cache",
    "no-store",
    "private",
    "public",
    "max-stale",
    "min-fresh=",
    "\"",
    "\\",
    ",",
    ";",
    "=",
    " ",
    "-",
    "*",
    "bytes=",
    "bytes ",
    "/",
    "0",
    "1",
    "9",
    "99999999999999999999",
    "W/",
    "q=",
    "0.5",
    "gzip",
    "en-GB",
    "host=",
    "(",
    "?1",
    ":",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "\t",
    "é",
];

fn value() -> impl Strategy<Value = HeaderValue> {
    let piece = prop_oneof![
        6 => prop::sample::select(PIECES.as_slice()).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(prop_oneof![Just(b'\t'), 32_u8..127, 128_u8..=255], 0..6),
    ];
    let value = prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat());
    value.prop_map(|bytes| HeaderValue::from_bytes(&bytes).expect("no control characters"))
}

fn fields() -> impl Strategy<Value = http::HeaderMap> {
    let name = prop::sample::select(NAMES.to_vec());
    prop::collection::vec((name, value()), 0..8).prop_map(|lines| {
        let mut fields = http::HeaderMap::new();
        for (name, value) in lines {
            fields.append(name, value);
        }
        fields
    })
}

fn times() -> Times {
    Times {
        sent: Timestamp::from_secs(1000),
        received: Timestamp::from_secs(1001),
    }
}

fn stored(status: u16, headers: http::HeaderMap, body: Vec<u8>) -> StoredResponse {
    StoredResponse {
        status: StatusCode::from_u16(status).expect("in range"),
        headers,
        body: body.into(),
        trailers: None,
        initial_age: Default::default(),
        shared_with: Default::default(),
        said: Said::default(),
    }
}

/// Answers a request from a stored response in every way there is; a part is never longer than the whole.
fn answers(stored: &StoredResponse, meta: &Meta, request: &http::HeaderMap) {
    let asked = |ranged| Asked {
        head: false,
        ranged,
        headers: request,
    };
    let now = Timestamp::from_secs(1_000_000);
    let report = Report::Hit {
        ttl: answer::seconds_left(meta, now),
    };
    let reporter = Reporter::default();
    let fields = || answer::fields(stored, meta, report, &reporter, now);
    type Body = ResponseBody<http_body_util::Empty<bytes::Bytes>>;
    for ranged in [false, true] {
        let whole: Response<Body> = answer::from_stored(stored, asked(ranged), fields());
        let is_several = whole.headers().get("content-type").is_some_and(|kind| {
            kind.as_bytes()
                .starts_with(b"multipart/byteranges; boundary=keep-")
        });
        let length = http_body::Body::size_hint(whole.body()).lower() as usize;
        assert!(is_several || length <= stored.body.len());
    }
    let part: Option<Response<Body>> = answer::from_part(stored, asked(true), fields);
    assert!(part.is_none_or(|part| part.status() == 206));
    let control = Control::of(request);
    let demands = Demands::of(&control, request);
    let _judged = demands.judge(stored, meta, Usability::Fresh, now, || true);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn no_request_makes_anything_panic(fields in fields(), is_post in any::<bool>()) {
        let mut request = Request::new(());
        *request.method_mut() = if is_post { http::Method::POST } else { http::Method::GET };
        *request.headers_mut() = fields;
        let (request, ()) = request.into_parts();
        if let Plan::Lookup(lookup) = plan(&request, false, true) {
            prop_assert!(!is_post && !lookup.head);
        }
        let _lookup_or_not = posting(&request);
        let keys = KeyRules::default();
        let key = keys.key(&request);
        prop_assert!(key.is_none_or(|key| key.len() <= 1 << 16));
        let _targets = keys.targets(&request);
        let _asks = is_conditional_at_origin(&request.headers);
        for how in [Normalising::Cautious, Normalising::Full] {
            let _variant = variant_of(&NAMES, &request.headers, how);
        }
    }

    #[test]
    fn no_response_makes_anything_panic(
        status in 100_u16..1000,
        headers in fields(),
        update in fields(),
        request in fields(),
        body in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).expect("in range");
        *response.headers_mut() = headers.clone();
        let (head, ()) = response.into_parts();
        let targets = TargetFields::new(NAMES[22..].iter().cloned());
        let rules = StoringRules { targets, ..by_the_rfc() };
        let control = rules.control(&headers);
        let (_, _) = (stated_lifetime(&control, &headers, times()), initial_age(&headers, times()));
        let (_, _) = (heuristic_lifetime(&headers, times()), Variance::of(&headers));
        let (_, _) = (Place::of(&headers), has_validator(&headers));
        let asking = Request::builder().body(()).expect("a request").into_parts().0;
        if let Plan::Lookup(lookup) = plan(&asking, false, true) {
            let plan = rules.decide(&lookup, &head, times());
            prop_assert!(plan.is_err() || !control.no_store || control.must_understand);
        }
        let kept = kept_headers(&head, times().received);
        prop_assert!(!kept.contains_key("connection") && kept.contains_key("date"));
        let _freshened = freshened(&kept, &update);
        let _same = is_not_modified(&request, &kept);
        let stored = stored(status, kept, body);
        let _agreement = agreement(&stored, &update);
        answers(&stored, &entry(b"key", ()).meta, &request);
    }

    #[test]
    fn no_record_of_the_store_makes_anything_panic(
        status in prop::sample::select(vec![200, 206]),
        headers in fields(),
        request in fields(),
        body in prop::collection::vec(any::<u8>(), 0..40),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        is_cut in prop::bool::weighted(0.2),
    ) {
        let whole = entry(b"key", Stored::Response(stored(status, headers, body)));
        let mut record = envelope::encode(&whole).expect("it can be written").to_vec();
        for (at, byte) in changes {
            let at = at.index(record.len());
            record[at] = byte;
        }
        if is_cut {
            record.truncate(cut.index(record.len()));
        }
        envelope::tests::correct_sum(&mut record);
        let length = record.len();
        if let Some(read) = envelope::decode::<Stored>(record.into(), b"key") {
            // A field weighs at most its bytes and what keeping it costs, twice.
            prop_assert!(read.value.weight() <= 40 * length);
            if let Stored::Response(stored) = &read.value {
                answers(stored, &read.meta, &request);
            }
        }
    }
}
