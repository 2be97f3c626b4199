//! The request as the origin gets it.

use http::{
    HeaderName, HeaderValue, Version,
    header::{CONNECTION, FORWARDED, HOST, UPGRADE, VIA},
    request::Parts,
    uri::Authority,
};
use tower_keep::PeerAddr;

use super::{OriginUrl, forwarded};
use crate::{
    config::{PoolConfig, Protocol},
    pseudonym::Pseudonym,
};

/// Fields that the origin sees and the cache does not, because they differ from one connection to the
/// next. What varies by them is not stored.
pub(crate) static ADDED_FIELDS: [HeaderName; 5] = [
    FORWARDED,
    forwarded::X_FORWARDED_FOR,
    forwarded::X_FORWARDED_HOST,
    forwarded::X_FORWARDED_PROTO,
    VIA,
];

/// Addresses a request to the origin.
pub(super) fn address(
    request: &mut Parts,
    origin: &OriginUrl,
    pool: &PoolConfig,
    pseudonym: &Pseudonym,
) {
    if let Some(peer) = request.extensions.get::<PeerAddr>() {
        forwarded::add(&mut request.headers, peer.0.ip());
    }
    pseudonym.sign(request);
    let path = request.uri.path_and_query().cloned();
    let own = origin.authority();
    match pool.protocol {
        Protocol::Http1 => {
            if !pool.keep_host {
                request.headers.insert(HOST, host_value(own));
            }
            request.uri = origin.with(own.clone(), path);
            request.version = Version::HTTP_11;
        }
        Protocol::H2c => {
            // Here the name stands in the URI, and only there.
            let said = request.headers.remove(HOST).filter(|_| pool.keep_host);
            let said = said.and_then(|host| Authority::try_from(host.as_bytes()).ok());
            request.uri = origin.with(said.unwrap_or_else(|| own.clone()), path);
            request.headers.remove(CONNECTION);
            request.headers.remove(UPGRADE);
            request.version = Version::HTTP_2;
        }
    }
}

fn host_value(authority: &Authority) -> HeaderValue {
    HeaderValue::from_str(authority.as_str()).expect("an authority has no control characters")
}
