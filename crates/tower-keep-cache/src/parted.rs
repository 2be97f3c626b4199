//! From a part on its way in to an entry.

use bytes::{Bytes, BytesMut};
use http::{
    StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE},
};

use crate::{
    engine::entry::{Entry, Meta},
    http::{
        entry::{Stored, StoredResponse},
        freshening::freshened,
        labels::check_number,
        place::{Place, forget_digests, share_coding, share_strong_validator},
    },
    shared::{Shared, part_key},
};

/// A part that has come as a whole.
#[derive(Debug)]
pub(crate) struct Parted {
    pub(crate) place: Place,
    pub(crate) meta: Meta,
    pub(crate) response: StoredResponse,
}

impl Parted {
    /// The entry that it is, under the key of the whole if nothing is missing, else under that of its part.
    pub(crate) fn into_entry(self, shared: &Shared, key: Vec<u8>, largest: usize) -> Entry<Stored> {
        let mut part = self.joined_with_known(shared, &key, largest);
        let fields = &mut part.response.headers;
        forget_digests(fields);
        fields.insert(CONTENT_LENGTH, part.response.body.len().into());
        let key = if part.place.is_whole() {
            fields.remove(CONTENT_RANGE);
            part.response.status = StatusCode::OK;
            key
        } else {
            fields.insert(CONTENT_RANGE, part.place.field());
            part_key(&key)
        };
        Entry::new(key.into(), part.meta, Stored::Response(part.response))
    }

    /// "A cache MAY combine these ranges into a single stored response … if they all share the same strong validator"
    /// (RFC 9111 §3.4).
    fn joined_with_known(self, shared: &Shared, key: &[u8], largest: usize) -> Self {
        let engine = &shared.engine;
        let known = engine.first(&part_key(key), engine.present());
        let joined = known.and_then(|(known, _)| self.joined(&known, largest));
        joined.unwrap_or(self)
    }

    fn joined(&self, known: &Entry<Stored>, largest: usize) -> Option<Self> {
        let stored = known.value.response()?;
        let known_place = Place::of(&stored.headers)?;
        // What comes from the store is not trusted.
        if known_place.bytes.len() != stored.body.len() {
            return None;
        }
        let place = self.place.joined(&known_place)?;
        let is_the_same = share_strong_validator(&self.response.headers, &stored.headers)
            && share_coding(&self.response.headers, &stored.headers)
            && self.meta.stamp.epoch == known.meta.stamp.epoch
            && place.bytes.len() <= largest;
        if !is_the_same {
            return None;
        }
        let older = known.meta.targets.iter().copied();
        let newer = self.meta.targets.iter().copied();
        let mut targets: Vec<_> = older.chain(newer).collect();
        targets.sort_unstable_by_key(|target| target.to_bits());
        targets.dedup();
        check_number(&mut targets).ok()?;
        let mut meta = Meta {
            targets: targets.into(),
            ..self.meta.clone()
        };
        // It stands where the older of the two does.
        meta.stamp.position = meta.stamp.position.min(known.meta.stamp.position);
        let pieces = [
            (&self.place, &self.response.body),
            (&known_place, &stored.body),
        ];
        Some(Self {
            meta,
            response: StoredResponse {
                body: bytes_of(&place, pieces),
                // "A cache MUST update the stored response header fields using the header fields provided in
                // the new response, as per Section 3.2" (RFC 9111 §3.4).
                headers: freshened(&stored.headers, &self.response.headers),
                ..self.response.clone()
            },
            place,
        })
    }
}

/// The bytes of two parts that touch; where they share some, the first's.
fn bytes_of(place: &Place, [first, second]: [(&Place, &Bytes); 2]) -> Bytes {
    let start = place.bytes.start;
    let mut all = BytesMut::zeroed(place.bytes.len());
    for (part, bytes) in [second, first] {
        let at = part.bytes.start - start;
        all[at..at + bytes.len()].copy_from_slice(bytes);
    }
    all.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_two_parts_lie_where_they_belong() {
        let place = |bytes: std::ops::Range<usize>| Place {
            bytes,
            complete: Some(10),
        };
        let [older, newer] = [Bytes::from_static(b"34567"), Bytes::from_static(b"12345")];
        let (older_place, newer_place) = (place(3..8), place(1..6));
        let all = bytes_of(
            &place(1..8),
            [(&newer_place, &newer), (&older_place, &older)],
        );
        assert_eq!(all, "1234567");
    }
}
