//! The request as the origin gets it.

use http::{
    HeaderName, HeaderValue, Request, Version,
    header::{CONNECTION, FORWARDED, HOST, UPGRADE, VIA},
    request::Parts,
    uri::Authority,
};
use tower_keep::PeerAddr;

use super::{OriginUrl, forwarded};
use crate::pseudonym::Pseudonym;

/// Fields that the origin sees and the cache does not, because they differ from one connection to the
/// next. What varies by them is not stored.
pub(crate) static ADDED_FIELDS: [HeaderName; 5] = [
    FORWARDED,
    forwarded::X_FORWARDED_FOR,
    forwarded::X_FORWARDED_HOST,
    forwarded::X_FORWARDED_PROTO,
    VIA,
];

/// Says who passes it on, and for whom.
pub(super) fn sign(request: &mut Parts, pseudonym: &Pseudonym) {
    if let Some(peer) = request.extensions.get::<PeerAddr>() {
        forwarded::add(&mut request.headers, peer.0.ip());
    }
    pseudonym.sign(request);
}

/// Addresses a request to the origin, in the protocol of its way there; anew if it has to go another.
pub(super) fn address<B>(
    request: &mut Request<B>,
    origin: &OriginUrl,
    keep_host: bool,
    version: Version,
) {
    let uri = std::mem::take(request.uri_mut());
    let path = uri.path_and_query().cloned();
    let asked = uri.into_parts().authority;
    let own = origin.authority();
    *request.version_mut() = version;
    if version == Version::HTTP_2 {
        // Here the name stands in the URI, and only there.
        let said = request.headers_mut().remove(HOST).filter(|_| keep_host);
        let said = said.and_then(|host| Authority::try_from(host.as_bytes()).ok());
        let name = said.or(asked).unwrap_or_else(|| own.clone());
        *request.uri_mut() = origin.with(name, path);
        request.headers_mut().remove(CONNECTION);
        request.headers_mut().remove(UPGRADE);
        return;
    }
    let headers = request.headers_mut();
    match asked {
        // It was to go in HTTP/2.
        Some(asked) => drop(headers.insert(HOST, host_value(&asked))),
        None if !keep_host => drop(headers.insert(HOST, host_value(own))),
        None => {}
    }
    *request.uri_mut() = origin.with(own.clone(), path);
}

fn host_value(authority: &Authority) -> HeaderValue {
    HeaderValue::from_str(authority.as_str()).expect("an authority has no control characters")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addressed(keep_host: bool, ways: &[Version]) -> (String, Option<HeaderValue>) {
        let origin = OriginUrl::parse("https://app:8443").expect("an origin");
        let request = Request::get("/a?b").header(HOST, "site").body(());
        let mut request = request.expect("a request");
        for way in ways {
            address(&mut request, &origin, keep_host, *way);
            assert_eq!(request.version(), *way);
        }
        (
            request.uri().to_string(),
            request.headers().get(HOST).cloned(),
        )
    }

    #[test]
    fn the_host_stands_where_each_protocol_has_it_whatever_was_tried_before() {
        use Version as V;
        let said = |host| Some(HeaderValue::from_static(host));
        for ways in [&[V::HTTP_11][..], &[V::HTTP_2, V::HTTP_11]] {
            let own = "https://app:8443/a?b".to_owned();
            assert_eq!(addressed(true, ways), (own.clone(), said("site")));
            assert_eq!(addressed(false, ways), (own, said("app:8443")));
        }
        for ways in [&[V::HTTP_2][..], &[V::HTTP_2, V::HTTP_2]] {
            let kept = "https://site/a?b".to_owned();
            assert_eq!(addressed(true, ways), (kept, None));
            let own = "https://app:8443/a?b".to_owned();
            assert_eq!(addressed(false, ways), (own, None));
        }
    }
}
