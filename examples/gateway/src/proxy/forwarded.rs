//! What the origin is told of the client (RFC 7239, and the older fields beside it).

use std::net::IpAddr;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{FORWARDED, HOST},
};

/// Adds this hop to what trusted proxies in front have said.
pub(super) fn add(headers: &mut HeaderMap, peer: IpAddr) {
    let peer = peer.to_canonical();
    let host = headers.get(HOST).cloned();
    if !headers.contains_key(&X_FORWARDED_PROTO) {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
    if let Some(host) = &host
        && !headers.contains_key(&X_FORWARDED_HOST)
    {
        headers.insert(X_FORWARDED_HOST, host.clone());
    }
    append(headers, &X_FORWARDED_FOR, &peer.to_string());
    append(headers, &FORWARDED, &element(peer, host.as_ref()));
}

fn element(peer: IpAddr, host: Option<&HeaderValue>) -> String {
    let peer = match peer {
        IpAddr::V4(peer) => peer.to_string(),
        IpAddr::V6(peer) => format!("\"[{peer}]\""),
    };
    match host.and_then(|host| host.to_str().ok()) {
        // It has no quotes and no backslashes: it was checked on the way in.
        Some(host) => format!("for={peer};host=\"{host}\";proto=http"),
        None => format!("for={peer};proto=http"),
    }
}

/// To the end of the list, in one line: some servers read only the first.
fn append(headers: &mut HeaderMap, name: &HeaderName, element: &str) {
    let lines = headers.get_all(name).iter();
    let mut list = lines.fold(Vec::new(), |mut list, line| {
        list.extend_from_slice(line.as_bytes());
        list.extend_from_slice(b", ");
        list
    });
    list.extend_from_slice(element.as_bytes());
    if let Ok(list) = HeaderValue::from_bytes(&list) {
        headers.insert(name, list);
    }
}

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(super) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(super) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_hop_comes_last_and_what_was_said_of_the_first_stays() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("a:80"));
        add(&mut headers, IpAddr::from([1, 2, 3, 4]));
        assert_eq!(headers[X_FORWARDED_FOR], "1.2.3.4");
        assert_eq!(headers[X_FORWARDED_HOST], "a:80");
        assert_eq!(headers[X_FORWARDED_PROTO], "http");
        assert_eq!(headers[FORWARDED], "for=1.2.3.4;host=\"a:80\";proto=http");
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("https"));
        headers.append(X_FORWARDED_FOR, HeaderValue::from_static("5.6.7.8"));
        add(&mut headers, IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]));
        assert_eq!(headers[X_FORWARDED_FOR], "1.2.3.4, 5.6.7.8, ::1");
        assert_eq!(headers[X_FORWARDED_PROTO], "https");
        assert!(
            headers[FORWARDED]
                .to_str()
                .expect("text")
                .contains("for=\"[::1]\"")
        );
    }
}
