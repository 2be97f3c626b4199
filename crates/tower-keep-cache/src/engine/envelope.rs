//! How an entry is written into the store, and read back without trust.
//!
//! ```text
//! "tk" version kind  crc32 of all that follows
//! fresh_until stale_until error_until kept_until received epoch position   8 bytes each, big-endian
//! cost in µs (4)  flags (1)  early in µs (4, if a flag says so)  targets (2 + 8 each)  key (4 + bytes)
//! the value
//! ```
//!
//! The value takes what it can as views of the buffer that came from the store: a body is not copied.
//! Bytes of another version, another kind, another key or with a wrong sum are no entry.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use tower_keep_store::{Stamp, Target, Timestamp};

use super::entry::{Entry, Meta};

/// A value that can be kept in the store.
pub(crate) trait Value: Sized + Send + Sync + 'static {
    /// Tells one sort of value from another.
    const KIND: u8;

    /// Appends the value; false if it cannot be written.
    #[must_use]
    fn encode(&self, out: &mut Vec<u8>) -> bool;

    /// Reads what [`encode`](Self::encode) wrote; nothing, if it is anything else.
    fn decode(bytes: Bytes) -> Option<Self>;

    /// About how many bytes of memory it takes.
    fn weight(&self) -> usize;
}

/// Writes an entry; nothing if it cannot be written.
pub(crate) fn encode<V: Value>(entry: &Entry<V>) -> Option<Bytes> {
    let meta = &entry.meta;
    let mut out = Vec::with_capacity(128 + entry.key.len() + entry.value.weight());
    out.put_slice(MAGIC);
    out.put_u8(V::KIND);
    out.put_u32(0);
    for moment in [
        meta.fresh_until,
        meta.stale_until,
        meta.error_until,
        meta.kept_until,
        meta.received,
    ] {
        out.put_u64(moment.as_micros());
    }
    out.put_u64(meta.stamp.epoch);
    out.put_u64(meta.stamp.position);
    out.put_u32(micros(meta.cost));
    let is_early = !meta.early.is_zero();
    out.put_u8(u8::from(meta.first_level) * FIRST_LEVEL + u8::from(is_early) * EARLY);
    if is_early {
        out.put_u32(micros(meta.early));
    }
    out.put_u16(u16::try_from(meta.targets.len()).ok()?);
    for target in &meta.targets {
        out.put_u64(target.to_bits());
    }
    put_bytes(&mut out, &entry.key)?;
    if !entry.value.encode(&mut out) {
        return None;
    }
    let sum = crc32fast::hash(&out[SUMMED_FROM..]);
    out[SUM_AT..SUMMED_FROM].copy_from_slice(&sum.to_be_bytes());
    Some(out.into())
}

/// Reads an entry that must have been stored under `key`.
pub(crate) fn decode<V: Value>(mut bytes: Bytes, key: &[u8]) -> Option<Entry<V>> {
    if bytes.len() < SUMMED_FROM || bytes[..MAGIC.len()] != *MAGIC || bytes[KIND_AT] != V::KIND {
        return None;
    }
    bytes.advance(SUM_AT);
    if bytes.get_u32() != crc32fast::hash(&bytes) {
        return None;
    }
    let mut moment = || bytes.try_get_u64().ok().map(Timestamp::from_micros);
    let [fresh_until, stale_until, error_until] = [moment()?, moment()?, moment()?];
    let [kept_until, received] = [moment()?, moment()?];
    let stamp = Stamp {
        epoch: bytes.try_get_u64().ok()?,
        position: bytes.try_get_u64().ok()?,
    };
    let cost = Duration::from_micros(bytes.try_get_u32().ok()?.into());
    let flags = bytes.try_get_u8().ok()?;
    let first_level = flags & FIRST_LEVEL != 0;
    let early = match flags & EARLY {
        0 => Duration::ZERO,
        _ => Duration::from_micros(bytes.try_get_u32().ok()?.into()),
    };
    let targets = (0..bytes.try_get_u16().ok()?)
        .map(|_| bytes.try_get_u64().ok().map(Target::from_bits))
        .collect::<Option<_>>()?;
    if take_bytes(&mut bytes)? != key {
        return None;
    }
    let meta = Meta {
        stamp,
        targets,
        received,
        fresh_until,
        stale_until,
        error_until,
        kept_until,
        cost,
        early,
        first_level,
        store: true,
    };
    Some(Entry::new(key.into(), meta, V::decode(bytes)?))
}

/// Rounded up: less than a microsecond is not the zero of what nobody measured.
fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_nanos().div_ceil(1000)).unwrap_or(u32::MAX)
}

/// A length and so many bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    out.put_u32(u32::try_from(bytes.len()).ok()?);
    out.put_slice(bytes);
    Some(())
}

/// What [`put_bytes`] wrote, as a view.
pub(crate) fn take_bytes(bytes: &mut Bytes) -> Option<Bytes> {
    let length = bytes.try_get_u32().ok()? as usize;
    (length <= bytes.len()).then(|| bytes.split_to(length))
}

/// Two letters and the version of the format.
const MAGIC: &[u8] = b"tk\x02";
const KIND_AT: usize = 3;
const SUM_AT: usize = 4;
const SUMMED_FROM: usize = 8;

const FIRST_LEVEL: u8 = 1;
const EARLY: u8 = 2;

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, PartialEq)]
    struct Raw(Bytes);

    impl Value for Raw {
        const KIND: u8 = 250;

        fn encode(&self, out: &mut Vec<u8>) -> bool {
            out.put_slice(&self.0);
            true
        }

        fn decode(bytes: Bytes) -> Option<Self> {
            Some(Self(bytes))
        }

        fn weight(&self) -> usize {
            self.0.len()
        }
    }

    pub(crate) fn entry<V>(key: &[u8], value: V) -> Entry<V> {
        let meta = Meta {
            stamp: Stamp {
                epoch: 3,
                position: 4,
            },
            targets: Box::new([Target::new("tag", b"a"), Target::EVERYTHING]),
            received: Timestamp::from_secs(5),
            fresh_until: Timestamp::from_secs(6),
            stale_until: Timestamp::from_secs(7),
            error_until: Timestamp::from_secs(8),
            kept_until: Timestamp::from_secs(10),
            cost: Duration::from_micros(9),
            early: Duration::from_micros(11),
            first_level: true,
            store: true,
        };
        Entry::new(key.into(), meta, value)
    }

    #[test]
    fn an_entry_is_read_as_it_was_written_without_copying_its_value() {
        let written = encode(&entry(b"key", Raw(Bytes::from_static(b"value")))).expect("written");
        let read: Entry<Raw> = decode(written.clone(), b"key").expect("read");
        assert_eq!(read.meta, entry(b"key", ()).meta);
        assert_eq!(read.value, Raw(Bytes::from_static(b"value")));
        assert!(written.as_ptr_range().contains(&read.value.0.as_ptr()));
    }

    #[test]
    fn another_key_version_kind_or_a_cut_is_no_entry() {
        let written = encode(&entry(b"key", Raw(Bytes::from_static(b"value")))).expect("written");
        assert!(decode::<Raw>(written.clone(), b"kex").is_none());
        for at in 0..written.len() {
            assert!(
                decode::<Raw>(written.slice(..at), b"key").is_none(),
                "cut at {at}"
            );
            let mut flipped = written.to_vec();
            flipped[at] ^= 1;
            assert!(
                decode::<Raw>(flipped.into(), b"key").is_none(),
                "flipped at {at}"
            );
        }
        let mut longer = written.to_vec();
        longer.push(0);
        assert!(decode::<Raw>(longer.into(), b"key").is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            // Also past the sum, which random bytes hardly ever meet.
            if bytes.len() >= SUMMED_FROM {
                bytes[..3].copy_from_slice(MAGIC);
                bytes[KIND_AT] = Raw::KIND;
                let sum = crc32fast::hash(&bytes[SUMMED_FROM..]);
                bytes[SUM_AT..SUMMED_FROM].copy_from_slice(&sum.to_be_bytes());
            }
            let _entry_or_not = decode::<Raw>(bytes.into(), b"key");
        }
    }
}
