//! A map of msgpack whose names and values are strings: all that the scripts ever pack into a session.

/// Gives out names and values in their order; nothing is copied. Nothing at all if it is no such map, and whole.
pub(super) fn each<'a>(packed: &'a [u8], mut give: impl FnMut(&'a [u8], &'a [u8])) -> Option<()> {
    let mut rest = packed;
    for _ in 0..pairs(&mut rest)? {
        let name = string(&mut rest)?;
        let value = string(&mut rest)?;
        give(name, value);
    }
    rest.is_empty().then_some(())
}

fn pairs(rest: &mut &[u8]) -> Option<usize> {
    let count = match byte(rest)? {
        kind @ 0x80..=0x8f => usize::from(kind & 0x0f),
        0xde => length::<2>(rest)?,
        0xdf => length::<4>(rest)?,
        _ => return None,
    };
    Some(count)
}

fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = match byte(rest)? {
        kind @ 0xa0..=0xbf => usize::from(kind & 0x1f),
        0xd9 => length::<1>(rest)?,
        0xda => length::<2>(rest)?,
        0xdb => length::<4>(rest)?,
        _ => return None,
    };
    let (string, others) = rest.split_at_checked(length)?;
    *rest = others;
    Some(string)
}

fn length<const N: usize>(rest: &mut &[u8]) -> Option<usize> {
    let (bytes, others) = rest.split_at_checked(N)?;
    *rest = others;
    Some(
        bytes
            .iter()
            .fold(0, |length, byte| length << 8 | usize::from(*byte)),
    )
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    let (first, others) = rest.split_first()?;
    *rest = others;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(packed: &[u8]) -> Option<BTreeMap<&[u8], &[u8]>> {
        let mut pairs = BTreeMap::new();
        each(packed, |name, value| {
            pairs.insert(name, value);
        })?;
        Some(pairs)
    }

    fn pack(map: &BTreeMap<String, String>) -> Vec<u8> {
        rmp_serde::to_vec(map).expect("a map can be packed")
    }

    #[test]
    fn a_map_of_any_size_is_read_as_it_was_packed() {
        for (pairs, length) in [
            (0, 0),
            (1, 31),
            (15, 32),
            (16, 255),
            (300, 256),
            (2, 70_000),
        ] {
            let map: BTreeMap<_, _> = (0..pairs)
                .map(|i| (format!(".{i}"), "x".repeat(length)))
                .collect();
            let packed = pack(&map);
            let read = read(&packed).expect("a whole map");
            assert_eq!(read.len(), pairs);
            for (name, value) in map {
                assert_eq!(read[name.as_bytes()], value.as_bytes());
            }
        }
    }

    #[test]
    fn what_is_cut_or_goes_on_is_nothing() {
        let map = BTreeMap::from([("@u", "ada"), (".theme", "\"dark\"")]);
        let map = map
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        let packed = pack(&map.collect());
        for length in 0..packed.len() {
            assert_eq!(read(&packed[..length]), None, "{length}");
        }
        assert_eq!(read(&[&packed[..], b"x"].concat()), None);
    }

    #[test]
    fn other_things_are_nothing() {
        let others: [&[u8]; 6] = [
            b"garbage",
            &[0x90],
            &[0x81, 0xa1, b'a', 7],
            &[0x81, 7, 0xa1, b'a'],
            &[0xdf, 0xff, 0xff, 0xff, 0xff],
            &[0x81, 0xdb, 0xff, 0xff, 0xff, 0xff, b'a'],
        ];
        for other in others {
            assert_eq!(read(other), None, "{other:?}");
        }
    }
}
