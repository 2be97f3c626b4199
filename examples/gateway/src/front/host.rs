//! Which host is asked for.

use http::{
    HeaderMap, HeaderValue, Version,
    header::HOST,
    request::Parts,
    uri::{Authority, Uri},
};

use super::refusal::Refusal;

/// Leaves exactly one `Host`, and it is the one that counts.
pub(super) fn settle(request: &mut Parts, default: &HeaderValue) -> Result<(), Refusal> {
    let own = request.uri.authority().cloned();
    let said = single(&request.headers)?.cloned();
    let host = match (own, said) {
        (Some(own), said) => {
            if is_contradiction(request.version, &own, said.as_ref()) {
                return Err(Refusal::Host);
            }
            let own = HeaderValue::from_str(own.as_str()).map_err(|_| Refusal::Host)?;
            check(&own)?;
            own
        }
        (None, Some(said)) => {
            // It stands where it should.
            return check(&said);
        }
        // Before HTTP/1.1 nobody had to say.
        (None, None) if request.version < Version::HTTP_11 => default.clone(),
        (None, None) => return Err(Refusal::Host),
    };
    request.headers.insert(HOST, host);
    Ok(())
}

/// RFC 9112 §3.2.2: with a target in absolute form, `Host` is ignored, but must be there (§3.2). RFC 9113
/// §8.3.1: in HTTP/2 it need not, and one that names another host is malformed.
fn is_contradiction(version: Version, own: &Authority, said: Option<&HeaderValue>) -> bool {
    match said {
        Some(said) if version == Version::HTTP_2 => !said
            .as_bytes()
            .eq_ignore_ascii_case(own.as_str().as_bytes()),
        Some(_) => false,
        None => version == Version::HTTP_11,
    }
}

/// RFC 9112 §3.2: more than one is to be answered with 400.
fn single(headers: &HeaderMap) -> Result<Option<&HeaderValue>, Refusal> {
    let mut lines = headers.get_all(HOST).iter();
    let first = lines.next();
    match lines.next() {
        None => Ok(first),
        Some(_) => Err(Refusal::Host),
    }
}

/// A host, and perhaps a port: `uri-host [ ":" port ]`, without a user.
fn check(host: &HeaderValue) -> Result<(), Refusal> {
    let bytes = host.as_bytes();
    // Most are names and ports of these alone, and need no parser.
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let name = match bytes.iter().rposition(|byte| *byte == b':') {
        Some(colon) if is_port(&bytes[colon + 1..]) => &bytes[..colon],
        _ => bytes,
    };
    if !name.is_empty() && name.iter().all(is_plain) {
        return Ok(());
    }
    check_literal(name)
}

/// An address of IPv6, in its brackets.
fn check_literal(name: &[u8]) -> Result<(), Refusal> {
    let inner = name
        .strip_prefix(b"[")
        .and_then(|name| name.strip_suffix(b"]"));
    let inner = inner.and_then(|inner| str::from_utf8(inner).ok());
    match inner.map(str::parse::<std::net::Ipv6Addr>) {
        Some(Ok(_)) => Ok(()),
        _ => Err(Refusal::Host),
    }
}

fn is_port(digits: &[u8]) -> bool {
    digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit)
}

/// The host of the origin, for those who name none.
pub(super) fn of_origin(origin: &Uri) -> HeaderValue {
    let authority = origin.authority().map_or("", Authority::as_str);
    HeaderValue::from_str(authority).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn settled(version: Version, uri: &str, hosts: &[&str]) -> Result<String, Refusal> {
        let mut request = Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let (mut head, ()) = request.body(()).expect("a request").into_parts();
        settle(&mut head, &HeaderValue::from_static("origin"))?;
        Ok(head.headers[HOST].to_str().expect("text").to_owned())
    }

    #[test]
    fn one_host_is_left() {
        let (v10, v11, v2) = (Version::HTTP_10, Version::HTTP_11, Version::HTTP_2);
        assert_eq!(settled(v11, "/", &["a:80"]), Ok("a:80".into()));
        assert_eq!(settled(v11, "http://a/", &["b"]), Ok("a".into()));
        assert_eq!(settled(v2, "http://a/", &[]), Ok("a".into()));
        assert_eq!(settled(v2, "http://a/", &["A"]), Ok("a".into()));
        assert_eq!(settled(v2, "http://a/", &["b"]), Err(Refusal::Host));
        assert_eq!(settled(v11, "http://a/", &[]), Err(Refusal::Host));
        assert_eq!(settled(v11, "/", &[]), Err(Refusal::Host));
        assert_eq!(settled(v10, "/", &[]), Ok("origin".into()));
        assert_eq!(settled(v11, "/", &["a", "a"]), Err(Refusal::Host));
    }

    #[test]
    fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
        let host = |said| settled(Version::HTTP_11, "/", &[said]).is_ok();
        for good in ["a", "a.b-c_d", "127.0.0.1:8080", "[::1]", "[::1]:80", "a:"] {
            assert!(host(good), "{good}");
        }
        for bad in [
            "", ":80", "a b", "u@a", "a/b", "a,b", "[::1", "a:b", "a:999999", "a?b", "a#b",
        ] {
            assert!(!host(bad), "{bad}");
        }
    }
}
