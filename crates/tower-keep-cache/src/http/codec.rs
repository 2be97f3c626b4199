//! How a response is written into an entry's envelope.
//!
//! ```text
//! 'r' status (2)  initial age in µs (8)  shared with: cookie, authorization, users (1)
//!     fields  trailers present (1)  trailers  body
//! 'v' names (2): name …   variants (2): 16 bytes each
//! ```
//!
//! Fields: a count (2), then name and value with their lengths.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{
    entry::{SharedWith, Stored, StoredResponse, Variants},
    said::Said,
};
use crate::engine::envelope::{Value, put_bytes, take_bytes};

impl Value for Stored {
    const KIND: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Response(response) => put_response(out, response).is_some(),
            Self::Variants(variants) => put_variants(out, variants).is_some(),
        }
    }

    fn decode(mut bytes: Bytes) -> Option<Self> {
        match bytes.try_get_u8().ok()? {
            b'r' => take_response(bytes).map(Self::Response),
            b'v' => take_variants(bytes).map(Self::Variants),
            _ => None,
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Response(response) => {
                let trailers = response.trailers.as_ref().map_or(0, weight_of);
                // The fields are kept a second time, as they were said last.
                response.body.len() + 2 * weight_of(&response.headers) + trailers
            }
            Self::Variants(variants) => 32 * variants.names.len() + 16 * variants.known.len(),
        }
    }
}

fn put_response(out: &mut Vec<u8>, response: &StoredResponse) -> Option<()> {
    out.put_u8(b'r');
    out.put_u16(response.status.as_u16());
    out.put_u64(u64::try_from(response.initial_age.as_micros()).ok()?);
    let SharedWith {
        cookie,
        authorization,
        users,
    } = response.shared_with;
    out.put_u8(u8::from(cookie) | u8::from(authorization) << 1 | u8::from(users) << 2);
    put_fields(out, &response.headers)?;
    out.put_u8(u8::from(response.trailers.is_some()));
    if let Some(trailers) = &response.trailers {
        put_fields(out, trailers)?;
    }
    out.put_slice(&response.body);
    Some(())
}

fn take_response(mut bytes: Bytes) -> Option<StoredResponse> {
    let status = StatusCode::from_u16(bytes.try_get_u16().ok()?).ok()?;
    let initial_age = Duration::from_micros(bytes.try_get_u64().ok()?);
    let shared = bytes.try_get_u8().ok()?;
    let headers = take_fields(&mut bytes)?;
    let trailers = match bytes.try_get_u8().ok()? {
        0 => None,
        1 => Some(take_fields(&mut bytes)?),
        _ => return None,
    };
    Some(StoredResponse {
        status,
        headers,
        body: bytes,
        trailers,
        initial_age,
        shared_with: SharedWith {
            cookie: shared & 1 != 0,
            authorization: shared & 2 != 0,
            users: shared & 4 != 0,
        },
        said: Said::default(),
    })
}

fn put_variants(out: &mut Vec<u8>, variants: &Variants) -> Option<()> {
    out.put_u8(b'v');
    out.put_u16(u16::try_from(variants.names.len()).ok()?);
    for name in &variants.names {
        put_bytes(out, name.as_str().as_bytes())?;
    }
    out.put_u16(u16::try_from(variants.known.len()).ok()?);
    for digest in &variants.known {
        out.put_slice(digest);
    }
    Some(())
}

fn take_variants(mut bytes: Bytes) -> Option<Variants> {
    let names = (0..bytes.try_get_u16().ok()?)
        .map(|_| HeaderName::from_bytes(&take_bytes(&mut bytes)?).ok())
        .collect::<Option<_>>()?;
    let count = usize::from(bytes.try_get_u16().ok()?);
    let (known, rest) = bytes.as_chunks::<16>();
    (known.len() == count && rest.is_empty()).then(|| Variants {
        names,
        known: known.to_vec(),
    })
}

fn put_fields(out: &mut Vec<u8>, fields: &HeaderMap) -> Option<()> {
    out.put_u16(u16::try_from(fields.len()).ok()?);
    for (name, value) in fields {
        put_bytes(out, name.as_str().as_bytes())?;
        put_bytes(out, value.as_bytes())?;
    }
    Some(())
}

fn take_fields(bytes: &mut Bytes) -> Option<HeaderMap> {
    let count = usize::from(bytes.try_get_u16().ok()?);
    // What a field takes at least: a count that lies reserves no more than what came.
    let mut fields = HeaderMap::try_with_capacity(count.min(bytes.len() / 9)).ok()?;
    for _ in 0..count {
        let name = HeaderName::from_bytes(&take_bytes(bytes)?).ok()?;
        let value = HeaderValue::from_maybe_shared(take_bytes(bytes)?).ok()?;
        fields.try_append(name, value).ok()?;
    }
    Some(fields)
}

fn weight_of(fields: &HeaderMap) -> usize {
    fields
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + FIELD_OVERHEAD)
        .sum()
}

const FIELD_OVERHEAD: usize = 100;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip(stored: &Stored) -> Option<Stored> {
        let mut out = Vec::new();
        assert!(stored.encode(&mut out));
        Stored::decode(out.into())
    }

    fn fields(raw: Vec<(String, Vec<u8>)>) -> HeaderMap {
        raw.into_iter()
            .map(|(name, value)| {
                let name: HeaderName = name.parse().expect("a field name");
                (
                    name,
                    HeaderValue::from_bytes(&value).expect("a field value"),
                )
            })
            .fold(HeaderMap::new(), |mut all, (name, value)| {
                all.append(name, value);
                all
            })
    }

    fn any_fields() -> impl Strategy<Value = HeaderMap> {
        let value = prop::collection::vec(prop_oneof![32_u8..127, 128_u8..=255], 0..20);
        prop::collection::vec(("[a-z][a-z0-9-]{0,10}", value), 0..8).prop_map(fields)
    }

    proptest! {
        #[test]
        fn every_response_comes_back_as_it_was(
            status in 100_u16..1000,
            headers in any_fields(),
            trailers in prop::option::of(any_fields()),
            body in prop::collection::vec(any::<u8>(), 0..100),
            age in any::<u32>(),
            cookie in any::<bool>(),
            authorization in any::<bool>(),
            users in any::<bool>(),
        ) {
            let response = Stored::Response(StoredResponse {
                status: StatusCode::from_u16(status).expect("in range"),
                headers,
                body: body.into(),
                trailers,
                initial_age: Duration::from_micros(age.into()),
                shared_with: SharedWith { cookie, authorization, users },
                said: Said::default(),
            });
            prop_assert_eq!(round_trip(&response), Some(response));
        }

        #[test]
        fn no_bytes_make_it_panic(kind in prop_oneof![Just(b'r'), Just(b'v')], rest in prop::collection::vec(any::<u8>(), 0..120)) {
            let bytes: Vec<u8> = std::iter::once(kind).chain(rest).collect();
            let _response_or_not = Stored::decode(bytes.into());
        }
    }

    #[test]
    fn variants_come_back() {
        let variants = Stored::Variants(Variants {
            names: Box::new([http::header::ACCEPT]),
            known: vec![[1; 16], [2; 16]],
        });
        assert_eq!(round_trip(&variants), Some(variants));
    }

    #[test]
    fn a_count_that_lies_is_no_entry() {
        let mut bytes = vec![b'r', 0, 200];
        bytes.extend_from_slice(&[0; 9]);
        bytes.extend_from_slice(&[0xff, 0xff]);
        assert_eq!(Stored::decode(bytes.into()), None);
    }
}
