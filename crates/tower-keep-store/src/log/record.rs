//! One line of the log, and how it is written down.

use std::time::Duration;

use super::{
    doubts::{Begun, DoubtChange},
    target::{Mode, Target},
};

/// A record as the log keeps it: its place, what links it to the line before, what it invalidates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Record {
    /// Counts from 1 within an epoch without a hole.
    pub(super) position: u64,
    /// Names one life of the log; a log that was lost starts another.
    pub(super) epoch: u64,
    /// The `nonce` of the record before.
    pub(super) previous: u64,
    /// Random, so that two histories that forked cannot be taken for one.
    pub(super) nonce: u64,
    pub(super) content: Content,
}

/// What a record does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Content {
    pub(super) changes: Vec<Change>,
    /// In their order.
    pub(super) doubts: Vec<DoubtChange>,
}

/// A target and how hard it was hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Change {
    pub(super) target: Target,
    pub(super) mode: Mode,
}

impl Content {
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.doubts.is_empty()
    }

    /// The doubts that begin.
    pub(super) fn begun(&self) -> impl Iterator<Item = &Begun> {
        self.doubts.iter().filter_map(|doubt| match doubt {
            DoubtChange::Begins(begun) => Some(begun),
            DoubtChange::Ends(_) => None,
        })
    }

    /// Nine bytes a word, a letter and a big-endian number: `h` or `s` and a target that is hit; `d` and
    /// the id of a doubt that begins, `l` and its lease in milliseconds, `t` and each of its targets; `e`
    /// and the id of one that ends.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut words = Words::with_capacity(self.changes.len() + self.doubts.len());
        for change in &self.changes {
            let letter = match change.mode {
                Mode::Hard => b'h',
                Mode::Soft => b's',
            };
            words.push(letter, change.target.to_bits());
        }
        for doubt in &self.doubts {
            match doubt {
                DoubtChange::Begins(begun) => words.push_begun(begun),
                DoubtChange::Ends(id) => words.push(b'e', *id),
            }
        }
        words.0
    }

    /// Reads what [`encode`](Self::encode) wrote. Nothing, if it is not made of words. A word that means
    /// something only to a later version hits everything: whatever it invalidates is among that.
    ///
    /// (The version before knows only `h` and `s`, and takes a record with another word for a gap.)
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<WORD_LEN>();
        if !rest.is_empty() {
            return None;
        }
        let mut content = Self::default();
        for [letter, number @ ..] in words {
            content.read(*letter, u64::from_be_bytes(*number));
        }
        Some(content)
    }

    fn read(&mut self, letter: u8, number: u64) {
        let hit = |mode, number| Change {
            target: Target::from_bits(number),
            mode,
        };
        match (letter, self.doubts.last_mut()) {
            (b'h', _) => self.changes.push(hit(Mode::Hard, number)),
            (b's', _) => self.changes.push(hit(Mode::Soft, number)),
            (b'e', _) => self.doubts.push(DoubtChange::Ends(number)),
            (b'd', _) => {
                let begun = Begun::new(number, Duration::ZERO, &[]);
                self.doubts.push(DoubtChange::Begins(begun));
            }
            (b'l', Some(DoubtChange::Begins(begun))) => {
                let lease = Duration::from_millis(number);
                *begun = Begun::new(begun.id, lease, &begun.targets);
            }
            (b't', Some(DoubtChange::Begins(begun))) => {
                let target = Target::from_bits(number);
                let targets = [&begun.targets, &[target][..]].concat();
                *begun = Begun::new(begun.id, begun.lease, &targets);
            }
            _ => self
                .changes
                .push(hit(Mode::Hard, Target::EVERYTHING.to_bits())),
        }
    }
}

struct Words(Vec<u8>);

impl Words {
    fn with_capacity(words: usize) -> Self {
        Self(Vec::with_capacity(words * WORD_LEN))
    }

    fn push(&mut self, letter: u8, number: u64) {
        self.0.push(letter);
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn push_begun(&mut self, begun: &Begun) {
        self.push(b'd', begun.id);
        let millis = u64::try_from(begun.lease.as_millis()).unwrap_or(u64::MAX);
        self.push(b'l', millis);
        for target in &begun.targets {
            self.push(b't', target.to_bits());
        }
    }
}

const WORD_LEN: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    fn hard(target: Target) -> Change {
        Change {
            target,
            mode: Mode::Hard,
        }
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else_is() {
        let targets = [Target::new("tag", b"a"), Target::new("tag", b"b")];
        let lease = Duration::from_millis(1500);
        let content = Content {
            changes: vec![
                hard(targets[0]),
                Change {
                    target: Target::EVERYTHING,
                    mode: Mode::Soft,
                },
            ],
            doubts: vec![
                DoubtChange::Begins(Begun::new(7, lease, &targets)),
                DoubtChange::Ends(7),
                DoubtChange::Begins(Begun::new(8, lease, &[])),
            ],
        };
        let bytes = content.encode();
        assert_eq!(Content::decode(&bytes), Some(content));
        assert_eq!(Content::decode(&bytes[1..]), None);
        assert_eq!(Content::decode(b""), Some(Content::default()));
    }

    #[test]
    fn a_word_of_a_later_version_hits_everything() {
        let everything = Some(Content {
            changes: vec![hard(Target::EVERYTHING)],
            doubts: vec![],
        });
        for unknown in [b"x12345678", b"t12345678", b"l12345678"] {
            assert_eq!(Content::decode(unknown), everything);
        }
    }
}
