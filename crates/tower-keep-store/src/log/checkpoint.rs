//! The folded table as bytes, for processes that come when the stream no longer begins at the beginning.

use super::{
    doubts::{Begun, DoubtChange},
    record::Content,
    table::{Last, Stamp},
    target::Target,
};
use crate::key::digest;

/// A table as it was at a position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Checkpoint {
    pub(super) at: Stamp,
    pub(super) nonce: u64,
    pub(super) floor: u64,
    pub(super) everything: Last,
    pub(super) targets: Vec<(Target, Last)>,
    pub(super) doubts: Vec<Begun>,
}

impl Checkpoint {
    /// A version, the place (epoch, position, nonce), the rest, a checksum; numbers big-endian.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128 + 17 * self.targets.len());
        bytes.extend_from_slice(VERSION);
        for number in [self.at.epoch, self.at.position, self.nonce, self.floor] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        push_last(&mut bytes, self.everything);
        bytes.extend_from_slice(&(self.targets.len() as u64).to_be_bytes());
        for (target, last) in &self.targets {
            bytes.extend_from_slice(&target.to_bits().to_be_bytes());
            push_last(&mut bytes, *last);
        }
        let doubts = self.doubts.iter().cloned().map(DoubtChange::Begins);
        let content = Content {
            changes: Vec::new(),
            doubts: doubts.collect(),
        };
        bytes.extend_from_slice(&content.encode());
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote; nothing, if it is anything else.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_last_chunk::<8>()?;
        if checksum(body) != *sum {
            return None;
        }
        let mut rest = Reader(body.strip_prefix(VERSION)?);
        let at = Stamp {
            epoch: rest.number()?,
            position: rest.number()?,
        };
        let (nonce, floor) = (rest.number()?, rest.number()?);
        let everything = rest.last()?;
        let count = usize::try_from(rest.number()?).ok()?;
        let mut targets = Vec::with_capacity(count.min(rest.0.len() / 9));
        for _ in 0..count {
            targets.push((Target::from_bits(rest.number()?), rest.last()?));
        }
        let doubts = Content::decode(rest.0)?.begun().cloned().collect();
        Some(Self {
            at,
            nonce,
            floor,
            everything,
            targets,
            doubts,
        })
    }

    /// Where a checkpoint stands that begins with these bytes.
    pub(super) fn place(head: &[u8]) -> Option<Stamp> {
        let mut rest = Reader(head.strip_prefix(VERSION)?);
        Some(Stamp {
            epoch: rest.number()?,
            position: rest.number()?,
        })
    }
}

/// Most targets were hit once, and hard: which of the three positions there are is said first.
fn push_last(bytes: &mut Vec<u8>, last: Last) {
    let positions = [last.hard, last.hard_before, last.soft];
    let mask = (0..3).filter(|&i| positions[i] != 0).map(|i| 1 << i);
    bytes.push(mask.sum());
    for position in positions.into_iter().filter(|&position| position != 0) {
        bytes.extend_from_slice(&position.to_be_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*number))
    }

    fn last(&mut self) -> Option<Last> {
        let (&mask, rest) = self.0.split_first()?;
        self.0 = rest;
        let mut position = |bit: u8| match mask & bit {
            0 => Some(0),
            _ => self.number(),
        };
        Some(Last {
            hard: position(1)?,
            hard_before: position(2)?,
            soft: position(4)?,
        })
    }
}

fn checksum(bytes: &[u8]) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = digest(bytes);
    [a, b, c, d, e, f, g, h]
}

/// Another one when the format changes: what a process cannot read costs it misses.
const VERSION: &[u8; 8] = b"keepcp 1";

/// Bytes that tell the [place](Checkpoint::place).
pub(super) const HEAD_LEN: usize = 24;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn checkpoint() -> Checkpoint {
        let last = |hard, hard_before, soft| Last {
            hard,
            hard_before,
            soft,
        };
        Checkpoint {
            at: Stamp {
                epoch: 3,
                position: 40,
            },
            nonce: 9,
            floor: 2,
            everything: last(0, 0, 7),
            targets: vec![
                (Target::new("tag", b"a"), last(12, 0, 0)),
                (Target::new("tag", b"b"), last(13, 12, 40)),
            ],
            doubts: vec![Begun::new(5, Duration::from_secs(1), &[Target::EVERYTHING])],
        }
    }

    #[test]
    fn what_was_written_is_read_and_no_part_of_it_is() {
        let checkpoint = checkpoint();
        let bytes = checkpoint.encode();
        assert_eq!(Checkpoint::decode(&bytes).as_ref(), Some(&checkpoint));
        assert_eq!(Checkpoint::place(&bytes[..HEAD_LEN]), Some(checkpoint.at));
        for length in 0..bytes.len() {
            assert_eq!(Checkpoint::decode(&bytes[..length]), None);
        }
        for i in 0..bytes.len() {
            let mut other = bytes.clone();
            other[i] ^= 1;
            assert_eq!(Checkpoint::decode(&other), None);
        }
    }

    #[test]
    fn a_count_that_is_too_large_reserves_nothing() {
        let mut bytes = Checkpoint::default().encode();
        bytes.truncate(bytes.len() - 8);
        let count = bytes.len() - 8;
        bytes[count..].copy_from_slice(&u64::MAX.to_be_bytes());
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        assert_eq!(Checkpoint::decode(&bytes), None);
    }
}
