//! The cookie as browsers see it, and what they send.

use http::header;
use tower_keep_session::{SameSite, SessionCookie, SessionLayer, Transport};
use tower_keep_store::Store;

use crate::common::{Browser, Side, fields, on_both_stores};

async fn the_default_is_as_safe_as_browsers_know_and_lives_as_long_as_the_session(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let answer = browser.login("ada").await;
    let line = &fields(&answer, "set-cookie")[0];
    let (pair, attributes) = line.split_once("; ").expect("attributes");
    assert!(pair.starts_with("__Host-id="), "{line}");
    let mut attributes: Vec<_> = attributes.split("; ").collect();
    attributes.sort_unstable();
    let expected = [
        "HttpOnly",
        "Max-Age=2592000",
        "Path=/",
        "SameSite=Lax",
        "Secure",
    ];
    assert_eq!(attributes, expected);
    assert_eq!(fields(&answer, "cache-control"), ["no-store"]);
    assert!(answer.headers()[header::SET_COOKIE].is_sensitive());
}

async fn a_removal_has_the_attributes_of_what_it_removes(side: Side) {
    let host = SessionCookie::named("__Host-a")
        .same_site(SameSite::Strict)
        .partitioned();
    let domain = SessionCookie::named("__Secure-b")
        .allow_domain("a.example")
        .path("/app");
    let plain = SessionCookie::named("c").danger_insecure();
    let signed = SessionCookie::named("d").signed_with([[7; 64]]);
    for cookie in [SessionCookie::default(), host, domain, plain, signed] {
        let layer = side.builder().transport(Transport::Cookie(cookie)).build();
        let mut browser = Browser::new(&layer.expect("makes sense"));
        let set = browser.login("ada").await;
        let (_, removed) = browser
            .visit(async |session| session.logout().await.expect("logs out"))
            .await;
        assert_eq!(browser.cookie, None);
        let attributes = |line: &str| {
            let parts = line
                .split("; ")
                .skip(1)
                .filter(|part| !part.starts_with("Max-Age"));
            let mut parts: Vec<_> = parts.map(str::to_owned).collect();
            parts.sort();
            (line.split('=').next().map(str::to_owned), parts)
        };
        let (set, removed) = (fields(&set, "set-cookie"), fields(&removed, "set-cookie"));
        assert_eq!(attributes(&set[0]), attributes(&removed[0]));
        assert!(
            removed[0].contains("=; ") && removed[0].contains("Max-Age=0"),
            "{removed:?}"
        );
    }
}

async fn reading_and_writing_again_sets_no_cookie_again(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let first = browser.set("a", 1).await;
    assert_eq!(fields(&first, "set-cookie").len(), 1);
    for i in 2..5 {
        let answer = browser.set("a", i).await;
        assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
        assert_eq!(fields(&answer, "vary"), ["cookie"]);
    }
}

async fn who_does_not_look_at_the_session_is_told_nothing(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    let (_, answer) = browser.handled(async |_| ((), Default::default())).await;
    assert!(answer.headers().is_empty(), "{:?}", answer.headers());
}

async fn a_ring_of_keys_believes_old_ones_and_no_others(side: Side) {
    let [old, new, unknown] = [[1; 64], [2; 64], [3; 64]];
    for is_encrypted in [false, true] {
        let layer = |keys: &[[u8; 64]]| -> SessionLayer {
            let mut cookie = SessionCookie::default().signed_with(keys);
            if is_encrypted {
                cookie = cookie.encrypted();
            }
            let builder = side.builder().transport(Transport::Cookie(cookie));
            builder.build().expect("makes sense")
        };
        let mut browser = Browser::new(&layer(&[old]));
        browser.login("ada").await;
        assert_eq!(
            browser.at(&layer(&[new, old])).user().await.as_deref(),
            Some("ada")
        );
        assert_eq!(browser.at(&layer(&[new])).user().await, None);
        assert_eq!(browser.at(&layer(&[unknown])).user().await, None);
        assert_eq!(
            browser.at(&side.layer()).user().await,
            None,
            "nor without a key"
        );
        let mut tampered = browser.clone();
        let cookie = tampered.cookie.as_mut().expect("a cookie");
        let last = if cookie.ends_with('A') { 'B' } else { 'A' };
        cookie.replace_range(cookie.len() - 1.., &last.to_string());
        assert_eq!(tampered.user().await, None);
    }
}

#[test]
fn cookies_that_contradict_themselves_are_found_when_the_layer_is_built() {
    let named = SessionCookie::named;
    for cookie in [
        named("__Host-a").allow_domain("a.example"),
        named("__HOST-a").allow_domain("a.example"),
        named("__Host-a").path("/app"),
        named("__Host-a").danger_insecure(),
        named("__Secure-a").danger_insecure(),
        named("a").danger_insecure().same_site(SameSite::None),
        named("a").danger_insecure().partitioned(),
        named(""),
        named("a b"),
        named("a=b"),
        named("a").path("app"),
        named("a").path("/; Secure"),
        named("a").allow_domain(""),
        named("a").encrypted(),
        named("a").signed_with([[1; 32]]),
    ] {
        let shown = format!("{cookie:?}");
        let builder = SessionLayer::builder(Store::memory());
        let layer = builder.transport(Transport::Cookie(cookie)).build();
        assert!(layer.is_err(), "{shown}");
    }
}

on_both_stores!(
    the_default_is_as_safe_as_browsers_know_and_lives_as_long_as_the_session,
    a_removal_has_the_attributes_of_what_it_removes,
    reading_and_writing_again_sets_no_cookie_again,
    who_does_not_look_at_the_session_is_told_nothing,
    a_ring_of_keys_believes_old_ones_and_no_others,
);
