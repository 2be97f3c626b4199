//! One line of the log, and how it is written down.

use super::target::{Mode, Target};

/// A record as the log keeps it: its place, what links it to the line before, what it invalidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Counts from 1 within an epoch without a hole.
    pub(super) position: u64,
    /// Names one life of the log; a log that was lost starts another.
    pub(super) epoch: u64,
    /// The `nonce` of the record before.
    pub(super) previous: u64,
    /// Random, so that two histories that forked cannot be taken for one.
    pub(super) nonce: u64,
    pub(super) changes: Vec<Change>,
}

/// A target and how hard it was hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Change {
    pub(super) target: Target,
    pub(super) mode: Mode,
}

/// Nine bytes a change: `h` or `s`, then the target, big-endian.
pub(super) fn encode(changes: &[Change]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(changes.len() * CHANGE_LEN);
    for change in changes {
        bytes.push(match change.mode {
            Mode::Hard => b'h',
            Mode::Soft => b's',
        });
        bytes.extend_from_slice(&change.target.to_bits().to_be_bytes());
    }
    bytes
}

/// Reads what [`encode`] wrote; nothing, if it is anything else.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<Change>> {
    let (changes, rest) = bytes.as_chunks::<CHANGE_LEN>();
    if !rest.is_empty() {
        return None;
    }
    changes
        .iter()
        .map(|[mode, target @ ..]| {
            let mode = match mode {
                b'h' => Mode::Hard,
                b's' => Mode::Soft,
                _ => return None,
            };
            let target = Target::from_bits(u64::from_be_bytes(*target));
            Some(Change { target, mode })
        })
        .collect()
}

const CHANGE_LEN: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_else_is() {
        let changes = vec![
            Change {
                target: Target::new("tag", b"a"),
                mode: Mode::Hard,
            },
            Change {
                target: Target::EVERYTHING,
                mode: Mode::Soft,
            },
        ];
        let bytes = encode(&changes);
        assert_eq!(decode(&bytes), Some(changes));
        assert_eq!(decode(&bytes[1..]), None);
        assert_eq!(decode(b"x12345678"), None);
        assert_eq!(decode(b""), Some(vec![]));
    }
}
