//! What responses say that they depend on, in their fields: groups (RFC 9875) and other caches' tags.

mod common;

use tower_keep_cache::{CacheLayer, Dependency, Tag, TagField};
use tower_keep_store::Mode;
use tower_keep_test_support::{Origin, ScriptedBody, eventually};

use self::common::*;

const KEPT: (&str, &str) = ("cache-control", "max-age=600");

/// GET is answered with these fields and its call's number, POST with those.
fn origin(
    got: Vec<(&'static str, String)>,
    posted: Vec<(&'static str, String)>,
) -> Origin<ScriptedBody> {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    Origin::new(move |request| {
        let call = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let fields = match request.method().as_str() {
            "GET" => &got,
            _ => &posted,
        };
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        let mut all = vec![KEPT];
        all.extend(fields);
        let response = response(&all, ScriptedBody::full(call.to_string()));
        async move { Ok(response) }
    })
}

fn fields(fields: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let owned = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
    fields.iter().map(owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsafe_request_invalidates_the_groups_that_its_response_names_in_every_process() {
    for place in Place::both().await {
        let elsewhere = CacheLayer::new(place.other_process().await);
        let layer = place.layer().build().expect("a layer");
        let origin = origin(
            fields(&[("cache-groups", r#""scripts", "styles""#)]),
            fields(&[("cache-group-invalidation", r#""styles";x=1, "fonts""#)]),
        );
        let [here, there] = [service(&layer, &origin), service(&elsewhere, &origin)];
        let first = ask(&here, get("/a.js")).await;
        assert_eq!(ask(&here, get("/a.js")).await.text(), first.text());
        assert_eq!(
            first.field("cache-groups"),
            Some(r#""scripts", "styles""#),
            "passed on"
        );
        let before = ask(&there, get("/a.js")).await;
        ask(&here, request("POST", "/theme", &[])).await;
        assert_ne!(ask(&here, get("/a.js")).await.text(), first.text());
        eventually(LONG, async || {
            ask(&there, get("/a.js")).await.text() != before.text()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_those_of_one_host_and_safe_methods_invalidate_none() {
    let place = Place::memory();
    let layer = place.layer().build().expect("a layer");
    let both = [
        ("cache-groups", r#""g""#),
        ("cache-group-invalidation", r#""g""#),
    ];
    let cache = service(&layer, &origin(fields(&both), fields(&both)));
    let on = |method: &str, host: &str, path: &str| {
        request(method, &format!("http://{host}{path}"), &[])
    };
    let get = |host: &str| {
        let mut request = on("GET", host, "/a");
        request.headers_mut().remove("host");
        request
    };
    let first = ask(&cache, get("one.example")).await;
    ask(&cache, get("two.example")).await;
    let mut post = on("POST", "two.example", "/b");
    post.headers_mut().remove("host");
    ask(&cache, post).await;
    assert_eq!(ask(&cache, get("one.example")).await.text(), first.text());
    let handle = layer.handle();
    let group = Dependency::group("ONE.example:80", "g");
    handle
        .invalidate([group], Mode::Hard)
        .await
        .expect("embedded");
    assert_ne!(ask(&cache, get("one.example")).await.text(), first.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_names_groups_invalidates_them_and_a_malformed_field_does_not() {
    let place = Place::memory();
    let layer = place.layer().build().expect("a layer");
    let origin = Origin::new(|request| {
        let (status, named) = match request.uri().path() {
            "/refused" => (409, r#""g""#),
            _ => (200, "g"),
        };
        let mut response = response(&[KEPT, ("cache-groups", r#""g""#)], ScriptedBody::full("x"));
        if request.method() == "POST" {
            *response.status_mut() = status.try_into().expect("a status");
            response = {
                let (mut head, body) = response.into_parts();
                head.headers
                    .insert("cache-group-invalidation", named.parse().expect("a value"));
                http::Response::from_parts(head, body)
            };
        }
        async move { Ok(response) }
    });
    let cache = service(&layer, &origin);
    ask(&cache, get("/a")).await;
    ask(&cache, request("POST", "/malformed", &[])).await;
    assert!(ask(&cache, get("/a")).await.cache_status().contains("hit"));
    ask(&cache, request("POST", "/refused", &[])).await;
    assert!(!ask(&cache, get("/a")).await.cache_status().contains("hit"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_names_too_much_or_cannot_be_read_is_not_stored_and_is_counted() {
    let place = Place::memory();
    let layer = place.layer().tag_field(TagField::surrogate_key());
    let layer = layer.build().expect("a layer");
    let thousand: Vec<_> = (0..1000).map(|i| format!("t{i}")).collect();
    let groups: Vec<_> = (0..65).map(|i| format!("\"g{i}\"")).collect();
    let bad = [
        ("surrogate-key", thousand.join(" "), "too-many-tags"),
        (
            "cache-groups",
            groups.join(", ") + r#", "one", "more""#,
            "too-many-tags",
        ),
        ("cache-groups", "token".to_owned(), "cache-groups"),
    ];
    for (at, (name, value, why)) in bad.into_iter().enumerate() {
        let cache = service(&layer, &origin(vec![(name, value)], vec![]));
        let path = format!("/{at}");
        let first = ask(&cache, get(&path)).await;
        assert!(
            first.cache_status().contains(why),
            "{}",
            first.cache_status()
        );
        assert_ne!(ask(&cache, get(&path)).await.text(), first.text());
    }
    assert_eq!(layer.handle().stats().unlabelled, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_of_other_caches_are_tags_and_can_be_hidden_from_clients() {
    let long = "x".repeat(4096);
    for place in Place::both().await {
        let layer = place.layer().tag_field(TagField::surrogate_key());
        let layer = layer.tag_field(TagField::cache_tag()).hide_tag_fields();
        let layer = layer.build().expect("a layer");
        let named = fields(&[
            ("surrogate-key", "a,b {c}"),
            ("cache-tag", &format!(", d e,,{long}")),
        ]);
        let cache = service(&layer, &origin(named.clone(), named));
        for tag in ["a,b", "{c}", "d e", &long] {
            let first = ask(&cache, get("/")).await;
            let hit = ask(&cache, get("/")).await;
            assert_eq!(hit.text(), first.text());
            let other_tag = [Tag::new("a"), Tag::new("")];
            layer
                .handle()
                .invalidate(other_tag, Mode::Hard)
                .await
                .expect("there");
            assert_eq!(ask(&cache, get("/")).await.text(), first.text());
            for answer in [first, hit, ask(&cache, request("POST", "/", &[])).await] {
                assert_eq!(answer.field("surrogate-key"), None);
                assert_eq!(answer.field("cache-tag"), None);
            }
            let before = ask(&cache, get("/")).await;
            layer
                .handle()
                .invalidate([Tag::new(tag)], Mode::Hard)
                .await
                .expect("there");
            assert_ne!(
                ask(&cache, get("/")).await.text(),
                before.text(),
                "{tag:.9}"
            );
        }
        let bypassed = ask(
            &cache,
            request("GET", "/", &[("range", "bytes=0-"), ("if-range", "x")]),
        )
        .await;
        assert_eq!(bypassed.field("cache-tag"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_option_they_are_fields_like_any_other() {
    let place = Place::memory();
    let layer = place.layer().build().expect("a layer");
    let cache = service(&layer, &origin(fields(&[("surrogate-key", "a")]), vec![]));
    let first = ask(&cache, get("/")).await;
    layer
        .handle()
        .invalidate([Tag::new("a")], Mode::Hard)
        .await
        .expect("embedded");
    let hit = ask(&cache, get("/")).await;
    assert_eq!(hit.text(), first.text());
    assert_eq!(hit.field("surrogate-key"), Some("a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_entry_keeps_the_groups_that_its_304_does_not_repeat() {
    let place = Place::memory();
    let layer = place.layer().build().expect("a layer");
    let origin = Origin::new(|request| {
        let is_asked = request.headers().contains_key("if-none-match");
        let mut fields = vec![("cache-control", "max-age=1"), ("etag", "\"v\"")];
        if !is_asked {
            fields.push(("cache-groups", r#""g""#));
        }
        let mut response = response(
            &fields,
            ScriptedBody::full(if is_asked { "" } else { "page" }),
        );
        if is_asked {
            *response.status_mut() = http::StatusCode::NOT_MODIFIED;
        }
        async move { Ok(response) }
    });
    let cache = service(&layer, &origin);
    ask(&cache, get("/")).await;
    place.clock.advance(std::time::Duration::from_secs(2));
    assert!(
        ask(&cache, get("/"))
            .await
            .cache_status()
            .contains("fwd-status=304")
    );
    assert!(ask(&cache, get("/")).await.cache_status().contains("hit"));
    let group = [Dependency::group("example.com", "g")];
    layer
        .handle()
        .invalidate(group, Mode::Hard)
        .await
        .expect("embedded");
    assert!(
        ask(&cache, get("/"))
            .await
            .cache_status()
            .contains("uri-miss")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_304_that_repeats_hidden_tags_says_nothing_new_and_one_with_another_tag_does() {
    let place = Place::memory();
    let layer = place.layer().tag_field(TagField::surrogate_key());
    let layer = layer.hide_tag_fields().build().expect("a layer");
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let origin = Origin::new(move |request| {
        let call = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let tags = if call < 2 { "a" } else { "a b" };
        let fields = [
            ("cache-control", "no-cache"),
            ("etag", "\"v\""),
            ("surrogate-key", tags),
        ];
        let is_asked = request.headers().contains_key("if-none-match");
        let body = if is_asked { "" } else { "page" };
        let mut response = response(&fields, ScriptedBody::full(body));
        if is_asked {
            *response.status_mut() = http::StatusCode::NOT_MODIFIED;
        }
        async move { Ok(response) }
    });
    let cache = service(&layer, &origin);
    ask(&cache, get("/")).await;
    let age = async || {
        place.clock.advance(std::time::Duration::from_secs(5));
        let answer = ask(&cache, get("/")).await;
        assert_eq!(
            (answer.text(), answer.field("surrogate-key")),
            ("page", None)
        );
        let uri = http::Uri::from_static("/");
        let found = layer.handle().inspect("example.com", &uri).await;
        let found = found.expect("embedded");
        assert_eq!(found.len(), 1);
        found[0].age.as_secs()
    };
    assert_eq!(age().await, 5, "not written anew");
    assert_eq!(age().await, 0, "it has a tag more");
    let tag = [Tag::new("b")];
    let invalidated = layer.handle().invalidate(tag, Mode::Hard).await;
    invalidated.expect("embedded");
    let anew = ask(&cache, get("/")).await;
    assert!(anew.cache_status().contains("uri-miss"), "{anew:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheme_s_own_port_makes_no_other_resource() {
    let place = Place::memory();
    let layer = place.layer().build().expect("a layer");
    let cache = service(&layer, &origin(vec![], fields(&[("location", "/made")])));
    let on = |method: &str, host: &str, path: &str| {
        let mut request = request(method, path, &[]);
        let host = host.parse().expect("a field value");
        request.headers_mut().insert("host", host);
        request
    };
    let hosts = ["example.com", "example.com:80", "EXAMPLE.com:443"];
    let is_hit = async |host: &str, path: &str| {
        let answer = ask(&cache, on("GET", host, path)).await;
        answer.cache_status().contains("hit")
    };
    for stored in hosts {
        for changed in hosts {
            for path in ["/made", "/posted"] {
                is_hit(stored, path).await;
                assert!(is_hit(stored, path).await);
            }
            ask(&cache, on("POST", changed, "/posted")).await;
            for path in ["/made", "/posted"] {
                assert!(!is_hit(stored, path).await, "{stored} {changed} {path}");
            }
            let uri = http::Uri::from_static("/made");
            let purged = layer.handle().purge(changed, &uri).await;
            purged.expect("embedded");
            assert!(!is_hit(stored, "/made").await, "{stored} {changed}");
        }
    }
    is_hit("example.com:8080", "/made").await;
    ask(&cache, on("POST", "example.com", "/posted")).await;
    assert!(is_hit("example.com:8080", "/made").await);
}
