//! Parts of what is stored.

mod common;

use std::time::Duration;

use tower_keep_store::Outcome;
use tower_keep_test_support::{Origin, ScriptedBody, eventually};

use self::common::*;

fn page(fields: &'static [(&'static str, &'static str)]) -> Origin<ScriptedBody> {
    Origin::new(move |_| {
        let page = response(fields, ScriptedBody::full("0123456789"));
        async move { Ok(page) }
    })
}

#[tokio::test]
async fn a_part_of_what_is_stored_is_served_and_of_nothing_else() {
    let place = Place::memory();
    let origin = page(&[("cache-control", "max-age=60"), ("etag", "\"v1\"")]);
    let cache = service(&place.layer().build().expect("good options"), &origin);
    let range = |value| request("GET", "/a", &[("range", value)]);
    let passed = ask(&cache, range("bytes=0-1")).await;
    assert_eq!(passed.cache_status(), "tower-keep;fwd=bypass;detail=range");
    assert_eq!(passed.outcome, Some(Outcome::Bypass));
    ask(&cache, get("/a")).await;
    for (value, status, body, said) in [
        ("bytes=0-1", 206, "01", Some("bytes 0-1/10")),
        ("bytes=-1", 206, "9", Some("bytes 9-9/10")),
        ("bytes=4-", 206, "456789", Some("bytes 4-9/10")),
        ("bytes=10-", 416, "", Some("bytes */10")),
        ("bytes=0-1,1-5", 200, "0123456789", None),
    ] {
        let part = ask(&cache, range(value)).await;
        assert_eq!(
            (part.status.as_u16(), part.text()),
            (status, body),
            "{value}"
        );
        assert_eq!(part.field("content-range"), said, "{value}");
        assert_eq!(part.outcome, Some(Outcome::Hit));
        if let Some(length) = part.field("content-length") {
            assert_eq!(length, body.len().to_string());
        }
    }
    assert_eq!(origin.calls(), 2);
    let whole = ask(&cache, get("/a")).await;
    assert_eq!(
        (whole.text(), whole.field("content-length")),
        ("0123456789", Some("10"))
    );
}

#[tokio::test]
async fn parts_are_of_one_version_and_304_comes_first() {
    let place = Place::memory();
    let origin = page(&[("cache-control", "max-age=60"), ("etag", "\"v1\"")]);
    let cache = service(&place.layer().build().expect("good options"), &origin);
    ask(&cache, get("/a")).await;
    for (name, tag, status) in [
        ("if-range", "\"v1\"", 206),
        ("if-range", "\"v0\"", 200),
        ("if-none-match", "\"v1\"", 304),
    ] {
        let fields = [("range", "bytes=0-1"), (name, tag)];
        let answer = ask(&cache, request("GET", "/a", &fields)).await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {tag}");
    }
    assert_eq!(origin.calls(), 1);
}

#[tokio::test]
async fn a_stale_part_refreshes_the_whole() {
    let place = Place::memory();
    let origin = page(&[("cache-control", "max-age=60, stale-while-revalidate=60")]);
    let cache = service(&place.layer().build().expect("good options"), &origin);
    ask(&cache, get("/a")).await;
    place.clock.advance(Duration::from_secs(61));
    let part = ask(&cache, request("GET", "/a", &[("range", "bytes=0-1")])).await;
    assert_eq!((part.text(), part.outcome), ("01", Some(Outcome::Stale)));
    eventually(LONG, async || {
        ask(&cache, get("/a")).await.outcome == Some(Outcome::Hit)
    })
    .await;
    assert_eq!(ask(&cache, get("/a")).await.text(), "0123456789");
    assert_eq!(origin.calls(), 2);
}

#[tokio::test]
async fn several_parts_come_in_one_answer_unless_they_would_be_decoded_with_it() {
    for (coding, status) in [
        (("x-coding", "none"), 206),
        (("content-encoding", "gzip"), 200),
    ] {
        let place = Place::memory();
        let origin = Origin::new(move |_| {
            let fields = [
                ("cache-control", "max-age=60"),
                ("content-type", "text/plain"),
                coding,
            ];
            let page = response(&fields, ScriptedBody::full("0123456789"));
            async move { Ok(page) }
        });
        let cache = service(&place.layer().build().expect("good options"), &origin);
        ask(&cache, get("/a")).await;
        let parts = ask(&cache, request("GET", "/a", &[("range", "bytes=0-1,-2")])).await;
        assert_eq!(
            (parts.status.as_u16(), parts.outcome),
            (status, Some(Outcome::Hit))
        );
        let length = parts.field("content-length").map(str::parse::<usize>);
        assert_eq!(length, Some(Ok(parts.body.len())));
        let kind = parts.field("content-type").expect("it had one");
        assert_eq!(
            kind.starts_with("multipart/byteranges; boundary="),
            status == 206
        );
        assert_eq!(parts.field("content-range"), None);
        assert_eq!(
            parts
                .text()
                .contains("content-range: bytes 8-9/10\r\n\r\n89\r\n"),
            status == 206
        );
        assert_eq!(ask(&cache, get("/a")).await.text(), "0123456789");
    }
}
