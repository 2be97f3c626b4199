use std::collections::HashSet;

use http::Method;

use super::*;

#[test]
fn a_header_is_its_only_line_and_not_empty() {
    let key = || Key::header("X-Api-Key");
    let with = |lines: &[&str]| with_lines(request(), "x-api-key", lines);
    assert_eq!(
        who(key(), &with(&["abc"])),
        somebody(&Subject::header("abc"))
    );
    for lines in [&[][..], &[""], &["a", "a"], &["a", ""], &["", "a"]] {
        assert_eq!(who(key(), &with(lines)), Who::Nobody, "for {lines:?}");
    }
    let bytes = with_lines(request(), "x-api-key", &[b"\xff\x80"]);
    assert_eq!(who(key(), &bytes), somebody(&Subject::header(*b"\xff\x80")));
}

#[test]
fn a_user_is_the_identity_in_the_extensions() {
    assert_eq!(
        who(Key::user(), &from_user("ada")),
        somebody(&Subject::user("ada"))
    );
    assert_eq!(who(Key::user(), &request()), Who::Nobody);
}

#[test]
fn a_route_is_method_and_path_without_the_query() {
    let get = |uri: &str| {
        let mut request = request();
        request.uri = uri.parse().expect("a URI");
        request
    };
    assert_eq!(
        who(Key::route(), &get("https://a.example/x?y=1")),
        somebody(&Subject::route("GET", "/x"))
    );
    assert_ne!(
        who(Key::route(), &get("/x")),
        somebody(&Subject::route(Method::POST, "/x"))
    );
}

#[test]
fn methods_that_are_made_up_are_one() {
    let found: HashSet<_> = (0..100)
        .map(|number| {
            let mut request = request();
            request.method = format!("M{number}").parse().expect("a method");
            who(Key::route(), &request)
        })
        .collect();
    assert_eq!(found, [somebody(&Subject::route("PURGE", "/"))].into());
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn a_route_of_axum_is_its_pattern() {
    use axum::{Router, extract::Request, middleware, routing};
    use tower::ServiceExt;

    let found = |request: Request| async {
        let (parts, _) = request.into_parts();
        let mut into = material();
        assert_eq!(Key::route().find(&parts, &mut into), Found::Present);
        let expected = somebody(&Subject::route("GET", "/users/{id}"));
        http::Response::new((Who::Somebody(into.finish()) == expected).to_string())
    };
    let app = Router::new()
        .route("/users/{id}", routing::get(|| async {}))
        .layer(middleware::map_request(
            move |request: Request| async move { Err::<Request, _>(found(request).await) },
        ));
    let request = http::Request::get("/users/7").body(axum::body::Body::empty());
    let response = app.oneshot(request.expect("a request")).await;
    let body = axum::body::to_bytes(response.expect("infallible").into_body(), 10).await;
    assert_eq!(&body.expect("a body")[..], b"true");
}

#[test]
fn a_function_says_who_it_is_or_nothing() {
    let key = || Key::from_fn(|request| Some(request.uri.host()?.to_owned()));
    let mut request = request();
    assert_eq!(who(key(), &request), Who::Nobody);
    request.uri = "http://a.example/".parse().expect("a URI");
    assert_eq!(
        who(key(), &request),
        somebody(&Subject::custom("a.example"))
    );
}

#[test]
fn whoever_is_named_like_somebody_else_is_not_them() {
    let named = [
        Subject::header("192.0.2.1"),
        Subject::user("192.0.2.1"),
        Subject::user(String::from_utf8(vec![1, 2, 3, 4]).expect("text")),
        Subject::custom("192.0.2.1"),
        Subject::custom([192, 0, 2, 1]),
        Subject::custom(""),
        Subject::header([1, 2, 3, 4]),
        Subject::address([192, 0, 2, 1].into()),
        Subject::address([1, 2, 3, 4].into()),
        Subject::route("GET", "192.0.2.1"),
        Subject::user("GET").and(Subject::user("192.0.2.1")),
        Subject::anonymous(),
        Subject::user(""),
    ];
    let records: HashSet<_> = named.iter().map(somebody).collect();
    assert_eq!(records.len(), named.len());
}

#[test]
fn debug_names_kinds_and_no_values() {
    let key = Key::from_fn(|_| Some("x"))
        .or(Key::header("x-key").and(Key::route()))
        .or(Key::from_async_fn(|_| async { Some("x") }).and(Key::user()));
    assert_eq!(
        format!("{key:?}"),
        "Or(Or(Function, And(Header(\"x-key\"), Route)), And(AsyncFunction, User))"
    );
    let subject = Subject::user("ada").and(Subject::header("secret"));
    assert_eq!(format!("{subject:?}"), "Subject[\"user\", \"header\"]");
}
