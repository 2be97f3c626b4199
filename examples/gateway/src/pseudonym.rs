//! Under which name requests are passed on (RFC 9110 §7.6.3).

use std::hash::{BuildHasher, RandomState};

use http::{HeaderMap, HeaderValue, Version, header::VIA, request::Parts};

/// A name of this gateway alone, by which it knows a request that comes back to it.
#[derive(Clone, Debug)]
pub(crate) struct Pseudonym(String);

impl Pseudonym {
    pub(crate) fn new() -> Self {
        // Keyed anew in each process, so that others are told apart; it guards no secret.
        let number = RandomState::new().hash_one(std::process::id());
        Self(format!("tower-keep-{number:016x}"))
    }

    /// Says in which protocol a request came, and who passes it on.
    pub(crate) fn sign(&self, request: &mut Parts) {
        let protocol = match request.version {
            Version::HTTP_2 => "2.0",
            Version::HTTP_10 => "1.0",
            _ => "1.1",
        };
        let via = HeaderValue::from_str(&format!("{protocol} {}", self.0));
        let via = via.expect("letters, digits and dots");
        request.headers.append(VIA, via);
    }

    /// Whether it signed this request before.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        let mut lines = headers
            .get_all(VIA)
            .iter()
            .filter_map(|line| line.to_str().ok());
        lines.any(|line| line.contains(&self.0))
    }
}
