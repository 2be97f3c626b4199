//! Requests that other sites make in a user's name are refused; those of users, and of programs, are not.

use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, limit::ConcurrencyLimitLayer};
use tower_keep_contract::Contract;
use tower_keep_session::{CrossOriginLayer, ResponseBody};
use tower_keep_store::{Outcome, OutcomeCell};
use tower_keep_test_support::{Origin, ScriptedBody};

type Fields<'a> = &'a [(&'a str, &'a str)];

const OWN: (&str, &str) = ("host", "a.example");

fn origin() -> Origin<ScriptedBody> {
    Origin::new(|_| async { Ok(Response::new(ScriptedBody::full("done"))) })
}

fn request(method: &str, uri: &str, fields: Fields<'_>) -> Request<ScriptedBody> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(ScriptedBody::empty()).expect("a request")
}

async fn answer(
    layer: &CrossOriginLayer,
    request: Request<ScriptedBody>,
) -> Response<ResponseBody<ScriptedBody>> {
    let origin = origin();
    let answer = layer.layer(origin.clone()).oneshot(request).await;
    let answer = answer.expect("an answer");
    let passed = usize::from(answer.status() == StatusCode::OK);
    assert_eq!(origin.calls(), passed, "what is refused goes no further");
    answer
}

async fn passes(layer: &CrossOriginLayer, request: Request<ScriptedBody>) -> bool {
    match answer(layer, request).await.status() {
        StatusCode::OK => true,
        StatusCode::FORBIDDEN => false,
        other => panic!("{other}"),
    }
}

/// Whether a POST with these fields passes the safe preset.
async fn posts(uri: &str, fields: Fields<'_>) -> bool {
    passes(&CrossOriginLayer::new(), request("POST", uri, fields)).await
}

#[tokio::test]
async fn safe_methods_pass_and_all_others_are_judged() {
    let layer = CrossOriginLayer::new();
    let fields = [OWN, ("sec-fetch-site", "cross-site"), ("origin", "null")];
    for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
        assert!(
            passes(&layer, request(method, "/", &fields)).await,
            "{method}"
        );
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "CONNECT", "PURGE", "get"] {
        assert!(
            !passes(&layer, request(method, "/", &fields)).await,
            "{method}"
        );
    }
}

#[tokio::test]
async fn what_the_browser_says_of_the_site_decides() {
    for (site, expected) in [
        ("same-origin", true),
        ("none", true),
        ("same-site", false),
        ("cross-site", false),
        ("Same-Origin", false),
        ("same-origin, cross-site", false),
        ("something new", false),
    ] {
        // Whatever the origin is: a proxy may have changed the host.
        for origin in ["https://a.example", "https://b.example", "null"] {
            let fields = [OWN, ("sec-fetch-site", site), ("origin", origin)];
            assert_eq!(posts("/", &fields).await, expected, "{site} {origin}");
        }
        let alone = [OWN, ("sec-fetch-site", site)];
        assert_eq!(posts("/", &alone).await, expected, "{site}");
    }
}

#[tokio::test]
async fn pages_of_the_same_site_pass_where_that_is_allowed() {
    let layer = CrossOriginLayer::builder().allow_same_site();
    let layer = layer.build().expect("good options");
    for (site, expected) in [("same-site", true), ("cross-site", false)] {
        let fields = [OWN, ("sec-fetch-site", site)];
        assert_eq!(
            passes(&layer, request("POST", "/", &fields)).await,
            expected
        );
    }
    let old_browser = [OWN, ("origin", "https://b.a.example")];
    assert!(!passes(&layer, request("POST", "/", &old_browser)).await);
}

#[tokio::test]
async fn what_no_browser_sends_passes() {
    assert!(posts("/", &[OWN]).await);
    assert!(posts("/", &[]).await);
    assert!(posts("/", &[OWN, ("origin", ""), ("sec-fetch-site", "")]).await);
    let call = [("content-type", "application/grpc"), ("te", "trailers")];
    assert!(posts("https://a.example/package.Service/Call", &call).await);
}

#[tokio::test]
async fn old_browsers_say_an_origin_which_has_to_be_of_the_host() {
    for (host, origin, expected) in [
        ("a.example", "https://a.example", true),
        ("a.example", "http://a.example", true),
        ("A.Example", "https://a.example", true),
        ("a.example", "HTTPS://A.EXAMPLE", true),
        ("a.example:443", "https://a.example", true),
        ("a.example", "https://a.example:443", true),
        ("a.example:80", "http://a.example", true),
        ("a.example:8080", "http://a.example:8080", true),
        ("a.example:80", "https://a.example", false),
        ("a.example:443", "http://a.example", false),
        ("a.example", "https://a.example:8443", false),
        ("a.example:8443", "https://a.example", false),
        ("a.example:8080", "http://a.example:8081", false),
        ("[::1]:8080", "http://[::1]:8080", true),
        ("[::1]", "http://[::1]", true),
        ("[2001:DB8::1]", "https://[2001:db8:0::1]", true),
        ("[::1]:8080", "http://[::1]:8081", false),
        ("[::1]:8080", "http://[::2]:8080", false),
        ("127.0.0.1", "http://127.0.0.1", true),
        ("127.0.0.1", "http://localhost", false),
        ("a.example", "https://b.example", false),
        ("a.example", "https://b.a.example", false),
        ("b.a.example", "https://a.example", false),
        ("a.example", "https://a.example.", false),
        ("a.example", "https://a.example.evil.example", false),
        ("a.example", "https://evil.example/a.example", false),
        ("a.example", "https://a.example@evil.example", false),
        ("a.example", "https://evil.example#a.example", false),
        ("a.example", "https://a.example/", false),
        ("a.example", "https://a.example https://evil.example", false),
        ("a.example", "null", false),
        ("null", "null", false),
        ("a.example", "a.example", false),
        ("a.example", "app://a.example", false),
        ("a.example", "chrome-extension://a.example", false),
        ("x@a.example", "https://a.example", false),
        ("a.example:", "https://a.example", false),
        ("", "https://a.example", false),
        ("", "https://", false),
    ] {
        let fields = [("host", host), ("origin", origin)];
        assert_eq!(posts("/", &fields).await, expected, "{host:?} {origin:?}");
    }
}

#[tokio::test]
async fn the_host_is_that_of_the_uri_where_it_has_one() {
    let own = ("origin", "https://a.example");
    assert!(
        posts("https://a.example/", &[own]).await,
        "absolute, no Host"
    );
    assert!(posts("http://A.example:443/", &[own]).await);
    assert!(!posts("https://b.example/", &[own]).await);
    assert!(
        !posts("https://b.example/", &[own, OWN]).await,
        "the URI counts"
    );
    assert!(posts("https://a.example/", &[own, ("host", "b.example")]).await);
    assert!(!posts("https://a.example:8443/", &[own]).await);
    assert!(!posts("/", &[own]).await, "no host at all");
    let ipv6 = ("origin", "https://[::1]:3000");
    assert!(posts("https://[::1]:3000/", &[ipv6]).await);
    let mut http2 = request("POST", "https://a.example/", &[own]);
    *http2.version_mut() = Version::HTTP_2;
    assert!(passes(&CrossOriginLayer::new(), http2).await, ":authority");
}

#[tokio::test]
async fn what_is_there_twice_is_refused_even_if_it_is_the_same() {
    let layer = CrossOriginLayer::builder().trust("https://a.example");
    let layer = layer.build().expect("good options");
    let own = ("origin", "https://a.example");
    let site = ("sec-fetch-site", "same-origin");
    for fields in [
        &[OWN, own, own][..],
        &[OWN, own, ("origin", "https://evil.example")],
        &[OWN, site, site],
        &[OWN, site, ("sec-fetch-site", "cross-site")],
        &[OWN, site, own, own],
        &[OWN, OWN, own],
        &[OWN, ("host", "b.example"), own],
    ] {
        let post = request("POST", "/", fields);
        assert!(!passes(&layer, post).await, "{fields:?}");
    }
}

#[tokio::test]
async fn trusted_origins_pass_exactly() {
    let layer = CrossOriginLayer::builder()
        .trust("https://Admin.example:443")
        .trust("http://localhost:3000")
        .trust("http://[::1]:3000")
        .trust("app://desk");
    let layer = layer.build().expect("good options");
    for (origin, expected) in [
        ("https://admin.example", true),
        ("http://localhost:3000", true),
        ("http://[0::1]:3000", true),
        ("app://desk", true),
        ("http://admin.example", false),
        ("https://admin.example:8443", false),
        ("https://x.admin.example", false),
        ("http://localhost", false),
        ("http://[::1]", false),
        ("app://desk2", false),
        ("null", false),
    ] {
        let site = ("sec-fetch-site", "cross-site");
        for fields in [
            &[OWN, ("origin", origin)][..],
            &[OWN, site, ("origin", origin)],
        ] {
            let post = request("POST", "/", fields);
            assert_eq!(passes(&layer, post).await, expected, "{fields:?}");
        }
    }
    let nameless = request("POST", "/", &[OWN, ("sec-fetch-site", "cross-site")]);
    assert!(!passes(&layer, nameless).await);
}

#[tokio::test]
async fn a_bypass_is_for_what_it_names() {
    let layer = CrossOriginLayer::builder()
        .allow_when(|request| request.uri.path() == "/webhook")
        .allow_when(|request| request.method == Method::DELETE);
    let layer = layer.build().expect("good options");
    let fields = [OWN, ("origin", "null"), ("sec-fetch-site", "cross-site")];
    for (method, uri, expected) in [
        ("POST", "/webhook", true),
        ("POST", "/webhook/", false),
        ("POST", "/", false),
        ("DELETE", "/", true),
    ] {
        let request = request(method, uri, &fields);
        assert_eq!(passes(&layer, request).await, expected, "{method} {uri}");
    }
}

#[test]
fn what_is_no_origin_is_found_when_the_layer_is_built() {
    for text in [
        "null",
        "*",
        "https://*.example",
        "a.example",
        "https://a.example/",
        "https://user@a.example",
        "https://a.example:99999",
    ] {
        // A good one after it does not hide it.
        let layer = CrossOriginLayer::builder().trust(text);
        let error = layer.trust("https://b.example").build().expect_err(text);
        let said = error.to_string();
        assert!(
            said.contains("trusted origin") && said.contains(text),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_refusal_is_a_problem_that_no_cache_keeps() {
    let fields = [OWN, ("origin", "https://evil.example")];
    let mut post = request("POST", "/", &fields);
    let cell = OutcomeCell::default();
    post.extensions_mut().insert(cell.clone());
    let refusal = answer(&CrossOriginLayer::new(), post).await;
    assert_eq!(refusal.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        refusal.headers()["content-type"],
        "application/problem+json"
    );
    assert_eq!(refusal.headers()["cache-control"], "no-store");
    assert_eq!(cell.get(), Some(Outcome::Rejected));
    let body = refusal.into_body().collect().await.expect("a body");
    let problem: serde_json::Value = serde_json::from_slice(&body.to_bytes()).expect("well-formed");
    assert_eq!(problem["status"], 403);
    assert_eq!(problem["title"], "Forbidden");
    let text = problem.to_string();
    assert!(!text.contains("evil"), "it repeats nothing: {text}");
}

#[tokio::test]
async fn a_refusal_gives_back_what_was_reserved_for_the_request() {
    let limit = ConcurrencyLimitLayer::new(1);
    let mut one = CrossOriginLayer::new().layer(limit.layer(origin()));
    let mut other = one.clone();
    for _ in 0..3 {
        use tower::Service;

        let evil = request("POST", "/", &[OWN, ("origin", "null")]);
        let refusal = one.ready().await.expect("ready").call(evil).await;
        assert_eq!(refusal.expect("an answer").status(), StatusCode::FORBIDDEN);
        let good = other
            .ready()
            .await
            .expect("ready")
            .call(request("POST", "/", &[OWN]));
        assert_eq!(good.await.expect("an answer").status(), StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_of_tower_holds() {
    let contract = Contract::new(CrossOriginLayer::new);
    contract.run().await;
    contract.run_on_stacks().await;
    // And for requests that are judged by their fields.
    let name = HeaderName::from_static("sec-fetch-site");
    let value = HeaderValue::from_static("same-origin");
    let contract = Contract::new(CrossOriginLayer::new).request_field(name, value);
    contract.run().await;
}
