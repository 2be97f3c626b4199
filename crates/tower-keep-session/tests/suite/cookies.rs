//! The cookie as browsers see it, and what they send.

use http::{HeaderValue, StatusCode, header};
use tower_keep_session::{SameSite, Session, SessionCookie, SessionLayer, Transport};
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

async fn two_session_cookies_are_refused_and_counted(side: Side) {
    let layer = side.layer();
    let mut browser = Browser::new(&layer);
    browser.login("ada").await;
    let mine = browser.cookie.clone().expect("a cookie");
    let planted = {
        let mut other = Browser::new(&layer);
        other.login("mallory").await;
        other.cookie.expect("a cookie")
    };
    let lines = [
        format!("{mine}; {planted}"),
        format!("{planted}; a=b; {mine}"),
        format!("{mine}; {mine}"),
        format!("__Host-id=; {mine}"),
        format!("{mine}; __Host-id=garbage"),
    ];
    for (i, line) in lines.into_iter().enumerate() {
        let mut doubled = Browser::new(&layer);
        doubled.cookie = Some(line.clone());
        assert_eq!(doubled.user().await, None, "{line}");
        assert_eq!(layer.stats().ambiguous, i as u64 + 1);
    }
    // On two lines, as HTTP/2 may send them.
    let mut doubled = browser.clone();
    doubled.headers.append(
        header::COOKIE,
        HeaderValue::from_str(&planted).expect("a cookie"),
    );
    doubled.headers.append(
        header::COOKIE,
        HeaderValue::from_str(&mine).expect("a cookie"),
    );
    doubled.cookie = None;
    assert_eq!(doubled.user().await, None);
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
}

async fn cookies_of_others_do_no_harm(side: Side) {
    let layer = side.layer();
    let mut browser = Browser::new(&layer);
    browser.login("ada").await;
    let mine = browser.cookie.take().expect("a cookie");
    let lines: [Vec<u8>; 5] = [
        format!("a=b; {mine}; c").into_bytes(),
        format!("=;;a;{mine};").into_bytes(),
        [b"name=\xff\xfe; ".as_slice(), mine.as_bytes()].concat(),
        format!("naïve=é; {mine}").into_bytes(),
        format!("x__Host-id=1; __host-id=2; __Host-idx=3;{mine}").into_bytes(),
    ];
    for line in lines {
        let shown = String::from_utf8_lossy(&line).into_owned();
        let line = HeaderValue::from_bytes(&line).expect("can be sent");
        browser.headers.insert(header::COOKIE, line);
        assert_eq!(browser.user().await.as_deref(), Some("ada"), "{shown}");
    }
}

async fn what_is_no_ticket_costs_nothing_and_gets_nothing(side: Side) {
    let layer = side.layer();
    let mut values: Vec<Vec<u8>> = ["", "x", "null", "\"\"", "%00", "..", "=", "a=b"]
        .map(|text| text.as_bytes().to_vec())
        .to_vec();
    values.push(vec![b'A'; 8192]);
    values.push(vec![0xff; 43]);
    values.push(vec![b'.'; 66]);
    values.push([vec![b'A'; 43], vec![b'.'; 23]].concat());
    values.push([vec![b'A'; 42], vec![b'+']].concat());
    for value in values {
        let line = [b"__Host-id=".as_slice(), &value].concat();
        let mut browser = Browser::new(&layer);
        let line = HeaderValue::from_bytes(&line).expect("can be sent");
        browser.headers.insert(header::COOKIE, line);
        let read = async |session: Session| (session.user(), session.names().len());
        let (seen, answer) = browser.visit(read).await;
        assert_eq!(seen, (None, 0));
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
    }
    assert_eq!(side.keys(), [""; 0]);
    if let Some(server) = side.server() {
        let stats = server.command_stats();
        assert!(!stats.contains_key("hgetall"), "{stats:?}");
    }
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
    two_session_cookies_are_refused_and_counted,
    cookies_of_others_do_no_harm,
    what_is_no_ticket_costs_nothing_and_gets_nothing,
    a_ring_of_keys_believes_old_ones_and_no_others,
);
