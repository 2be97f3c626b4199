//! What status codes mean to a cache.

use http::StatusCode;

/// Final, whole, no error, and with a meaning that we know.
pub(crate) fn is_plain(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 302 | 307 | 308
    )
}

/// Whether a cache may store it at all as the answer to a GET: a part is not the whole, 304 is nothing of its
/// own, and "responses with the 428 [429, 431, 511] status code MUST NOT be stored by a cache" (RFC 6585).
pub(crate) fn may_be_stored(status: StatusCode) -> bool {
    !status.is_informational() && !matches!(status.as_u16(), 206 | 304 | 428 | 429 | 431 | 511)
}

/// "Responses with status codes that are defined as heuristically cacheable" (RFC 9110 §15.1), but 206.
pub(crate) fn is_heuristically_cacheable(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// Whether its requirements for caches are known here: those of the registered codes that have none of
/// their own beyond [`may_be_stored`] (RFC 9111 §5.2.2.3).
pub(crate) fn is_understood(status: StatusCode) -> bool {
    may_be_stored(status) && status.canonical_reason().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn those(is: fn(StatusCode) -> bool) -> Vec<u16> {
        let all = (100..600).filter_map(|code| StatusCode::from_u16(code).ok());
        all.filter(|code| is(*code))
            .map(|code| code.as_u16())
            .collect()
    }

    #[test]
    fn each_set_is_within_the_wider_one() {
        let understood = those(is_understood);
        for narrow in [those(is_plain), those(is_heuristically_cacheable)] {
            assert!(narrow.iter().all(|code| understood.contains(code)));
        }
        for unknown in [299, 499, 599, 206, 304, 429, 103] {
            assert!(!understood.contains(&unknown), "{unknown}");
        }
        assert!(those(may_be_stored).contains(&599));
    }
}
