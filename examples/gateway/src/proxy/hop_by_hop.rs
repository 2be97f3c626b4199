//! Fields that end at the next hop (RFC 9110 §7.6.1).

use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE},
};

/// Removes what `Connection` names, and what is known to be for one hop although it need not be named.
pub(crate) fn remove(headers: &mut HeaderMap) {
    // Most requests have none: one pass, and nothing to do.
    if !headers.keys().any(is_for_one_hop) {
        return;
    }
    for name in named(headers) {
        headers.remove(name);
    }
    let takes_trailers = headers.get_all(TE).iter().any(|line| has(line, "trailers"));
    for name in &FOR_ONE_HOP {
        headers.remove(name);
    }
    // What the origin sends after a body is passed on, so it may hear that somebody wants it.
    if takes_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// The protocol that a request asks to go over to on this connection.
///
/// `h2c` is none: who lets it through opens a tunnel through which requests reach the origin unseen.
pub(crate) fn upgrade(version: Version, headers: &HeaderMap) -> Option<HeaderValue> {
    let protocol = headers.get(UPGRADE)?;
    let mut lines = headers.get_all(CONNECTION).iter();
    let is_asked = version == Version::HTTP_11 && lines.any(|line| has(line, "upgrade"));
    let is_h2c = protocol.to_str().map_or(true, |protocol| {
        let mut names = protocol.split(',').map(str::trim);
        names.any(|name| name.eq_ignore_ascii_case("h2c"))
    });
    (is_asked && !is_h2c).then(|| protocol.clone())
}

fn named(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines = headers.get_all(CONNECTION).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect()
}

/// Whether a list has this member, whatever its case and parameters.
fn has(line: &HeaderValue, member: &str) -> bool {
    let mut members = line.as_bytes().split(|byte| *byte == b',');
    members.any(|found| {
        let name = found.split(|byte| *byte == b';').next().unwrap_or(found);
        name.trim_ascii().eq_ignore_ascii_case(member.as_bytes())
    })
}

fn is_for_one_hop(name: &HeaderName) -> bool {
    FOR_ONE_HOP.contains(name)
}

static FOR_ONE_HOP: [HeaderName; 11] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("http2-settings"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-authentication-info"),
    // CGI makes `HTTP_PROXY` of it.
    HeaderName::from_static("proxy"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn left(fields: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        remove(&mut headers);
        headers.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_named_and_what_is_known_is_removed() {
        let fields = [
            ("connection", "close, X-Named"),
            ("connection", "x-too,,"),
            ("x-named", "1"),
            ("x-too", "1"),
            ("x-stays", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("proxy", "evil"),
        ];
        assert_eq!(left(&fields), ["x-stays"]);
        assert_eq!(left(&[("te", "gzip, Trailers;q=1")]), ["te"]);
        assert!(left(&[("te", "gzip")]).is_empty());
    }
}
