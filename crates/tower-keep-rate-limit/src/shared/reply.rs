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

#[cfg(test)]
mod tests {
    use tower_keep_store::Key;

    use super::*;
    use crate::{quota::Quota, shared::wire::Called};

    /// Two requests, the second with a shadow, and two buckets.
    fn call() -> Call {
        let mut call = Call::default();
        for shadows in [0, 1] {
            let mut asked = Asked::default();
            asked.shadows = shadows;
            call.asked.push(asked);
            call.buckets.push(Called {
                key: Key::new("t", &[0]),
                rule: Quota::per_hour(5).rule().expect("makes sense"),
                is_returnable: false,
            });
        }
        call
    }

    fn read(reply: &serde_json::Value) -> Option<Told> {
        let packed = rmp_serde::to_vec(reply).expect("can be packed");
        Told::read(&packed, &call())
    }

    #[test]
    fn an_answer_says_of_each_request_and_each_bucket() {
        let told = read(&serde_json::json!([
            7,
            1,
            3,
            2,
            9007199254740992_u64,
            "B9,1,10;8/1"
        ]));
        let told = told.expect("an answer");
        assert_eq!(told.now, 7);
        let counts: Vec<_> = told.granted.iter().map(|granted| granted.count).collect();
        assert_eq!(counts, [1, 3]);
        assert_eq!(told.granted[1].shadows.as_slice(), [2]);
        assert_eq!(told.records[0], Record::parse("9007199254740992"));
        assert_eq!(told.records[1], Record::parse("B9,1,10;8/1"));
    }

    #[test]
    fn what_is_no_answer_to_the_call_is_none() {
        for reply in [
            serde_json::json!([]),
            serde_json::json!(7),
            serde_json::json!([7, 1, 3, 2, 8]),
            serde_json::json!([7, 1, 3, 2, 8, 8, 8]),
            serde_json::json!([7, "1", 3, 2, 8, 8]),
            serde_json::json!([7, 1, 3, 2, 8, -8]),
            serde_json::json!([7, 1, 3, 2, 8, [8]]),
        ] {
            assert!(read(&reply).is_none(), "{reply}");
        }
    }
}
