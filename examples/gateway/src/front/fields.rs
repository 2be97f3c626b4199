//! Fields that clients do not say, or that end here.

use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{CONNECTION, COOKIE, FORWARDED, UPGRADE},
    request::Parts,
};

use crate::proxy::hop_by_hop;

/// Takes out what is meant for this hop, and, unless a trusted proxy says it, what only proxies say and fields with an
/// underscore in their names.
///
/// An upgrade that is asked for stays, in the one form that means it.
pub(super) fn settle(request: &mut Parts, is_from_proxy: bool) {
    let headers = &mut request.headers;
    let upgrade = hop_by_hop::upgrade(request.version, headers);
    hop_by_hop::remove(headers);
    if !is_from_proxy {
        remove_claims(headers);
    }
    if request.version == Version::HTTP_2 {
        join_crumbs(headers);
    }
    if let Some(protocol) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    }
}

/// HTTP/2 may split a cookie into several lines; nobody behind expects them (RFC 9113 §8.2.3).
fn join_crumbs(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) else {
        return;
    };
    let crumbs: Vec<_> = [first, second].into_iter().chain(crumbs).collect();
    if let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, cookie);
    }
}

fn remove_claims(headers: &mut HeaderMap) {
    let claims: Vec<_> = headers
        .keys()
        .filter(|name| is_claim(name))
        .cloned()
        .collect();
    for name in claims {
        headers.remove(name);
    }
}

/// Also what could be taken for one: CGI and its heirs make the same variable of `x_forwarded_host` and of
/// `x-forwarded-host`, of `accept_language` and of the field that the cache tells variants apart by.
fn is_claim(name: &HeaderName) -> bool {
    let text = name.as_str();
    *name == FORWARDED
        || text.starts_with("x-forwarded-")
        || text == "x-real-ip"
        || text.contains('_')
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn left(fields: &[(&str, &str)], is_from_proxy: bool) -> Vec<String> {
        let mut request = Request::builder();
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (mut head, ()) = request.body(()).expect("a request").into_parts();
        settle(&mut head, is_from_proxy);
        let lines = head.headers.iter();
        lines
            .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")))
            .collect()
    }

    #[test]
    fn only_trusted_proxies_say_for_whom_they_speak() {
        let claims = [
            ("x-forwarded-for", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4"),
            ("x-forwarded-host", "evil"),
            ("x-real-ip", "1.2.3.4"),
        ];
        assert!(left(&claims, false).is_empty());
        assert_eq!(left(&claims, true).len(), 4);
    }

    #[test]
    fn crumbs_become_one_cookie() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=b"));
        join_crumbs(&mut headers);
        headers.append(COOKIE, HeaderValue::from_static("c=d"));
        join_crumbs(&mut headers);
        assert_eq!(headers[COOKIE], "a=b; c=d");
        assert_eq!(headers.len(), 1);
    }

    #[test]
    fn an_upgrade_stays_and_h2c_does_not() {
        let asked = [
            ("connection", "Upgrade, x-a"),
            ("upgrade", "websocket"),
            ("x-a", "b"),
        ];
        assert_eq!(
            left(&asked, false),
            ["connection: upgrade", "upgrade: websocket"]
        );
        let smuggled = [
            ("connection", "Upgrade, HTTP2-Settings"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABkAARAAAAAAAIAAAAA"),
        ];
        assert!(left(&smuggled, false).is_empty());
        // Not asked of this hop.
        assert!(left(&[("upgrade", "websocket")], false).is_empty());
    }
}
