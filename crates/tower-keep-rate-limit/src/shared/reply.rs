//! What the script that decides answers.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use smallvec::SmallVec;

use super::wire::{Asked, Call};
use crate::rule::Record;

/// What the server said.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) now: u64,
    /// The requests of the call, in their order.
    pub(super) granted: Vec<Granted>,
    /// The buckets of the call, in theirs.
    pub(super) records: Vec<Record>,
}

/// What the server said of one request.
#[derive(Debug)]
pub(super) struct Granted {
    /// How many of them pass.
    pub(super) count: u64,
    /// How many of those each of its shadows would have let pass.
    pub(super) shadows: SmallVec<[u64; 2]>,
}

impl Told {
    /// Reads an answer; nothing if it is not one to this call.
    pub(super) fn read(reply: &[u8], call: &Call) -> Option<Self> {
        let words: Vec<Word<'_>> = rmp_serde::from_slice(reply).ok()?;
        let mut words = words.into_iter();
        let now = words.next()?.number()?;
        let granted = call.asked.iter();
        let granted = granted.map(|asked| Granted::read(&mut words, asked));
        let granted = granted.collect::<Option<_>>()?;
        let is_whole = words.len() == call.buckets.len();
        is_whole.then(|| Self {
            now,
            granted,
            records: words.map(Word::record).collect(),
        })
    }
}

impl Granted {
    fn read<'a>(words: &mut impl Iterator<Item = Word<'a>>, asked: &Asked) -> Option<Self> {
        let mut next = || words.next()?.number();
        Some(Self {
            count: next()?,
            shadows: (0..asked.shadows).map(|_| next()).collect::<Option<_>>()?,
        })
    }
}

/// A number, or the text of a bucket that is more than one.
enum Word<'a> {
    Number(u64),
    Text(&'a str),
}

impl Word<'_> {
    fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Text(_) => None,
        }
    }

    fn record(self) -> Record {
        match self {
            Self::Number(moment) => Record::at(moment),
            Self::Text(text) => Record::parse(text),
        }
    }
}

impl<'de> Deserialize<'de> for Word<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words)
    }
}

struct Words;

impl<'de> Visitor<'de> for Words {
    type Value = Word<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a text")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Word::Number(number))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Word::Text(text))
    }
}
