//! Cookie fields as clients send them.

use http::{HeaderValue, StatusCode, header};
use tower_keep_session::{Session, SessionCookie, SessionLayerBuilder, Transport};

use crate::common::{Browser, Side, fields, on_both_stores};

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
        assert!(
            !stats.contains_key("get") && !stats.contains_key("mget"),
            "{stats:?}"
        );
    }
}

#[test]
fn what_contradicts_itself_is_found_when_the_layer_is_built() {
    let side = Side::embedded();
    let none: [[u8; 64]; 0] = [];
    let cookie = |name| Transport::Cookie(SessionCookie::named(name));
    let unsigned = SessionCookie::default().signed_with(none);
    let bad = [
        ("two of one name", vec![cookie("id"), cookie("id")]),
        ("two bearers", vec![Transport::Bearer, Transport::Bearer]),
        ("a ring without a key", vec![Transport::Cookie(unsigned)]),
        (
            "a field that the layer writes itself",
            vec![Transport::Header(header::CACHE_CONTROL)],
        ),
        (
            "a cookie that is none",
            vec![Transport::Header(header::COOKIE)],
        ),
    ];
    let built = bad.into_iter().filter_map(|(what, transports)| {
        let builder = side.builder();
        let builder = transports
            .into_iter()
            .fold(builder, SessionLayerBuilder::transport);
        builder.build().is_ok().then_some(what)
    });
    let built: Vec<_> = built.collect();
    assert_eq!(built, [""; 0]);
}

on_both_stores!(
    two_session_cookies_are_refused_and_counted,
    cookies_of_others_do_no_harm,
    what_is_no_ticket_costs_nothing_and_gets_nothing,
);
