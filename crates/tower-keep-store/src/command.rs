//! Native commands of the server, and what it answers.

use bytes::Bytes;

use crate::key::Key;

/// A command of the server. Several travel in one round trip, and are not atomic together.
#[derive(Clone, Debug)]
#[must_use]
pub struct Command {
    name: &'static str,
    words: Vec<Word>,
}

#[derive(Clone, Debug)]
enum Word {
    Key(Key),
    Bytes(Vec<u8>),
}

impl Command {
    /// The command of this name.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            words: Vec::new(),
        }
    }

    /// Adds a key.
    pub fn key(mut self, key: &Key) -> Self {
        self.words.push(Word::Key(*key));
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.words.push(Word::Bytes(bytes.into()));
        self
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn into_redis(self, namespace: &str) -> redis::Cmd {
        // Room for a key in each word: then nothing grows.
        let words = self.words.len() + 1;
        let mut command = redis::Cmd::with_capacity(words, words * 80);
        command.arg(self.name);
        for word in self.words {
            match word {
                Word::Key(key) => command.arg(key.in_namespace(namespace)),
                Word::Bytes(bytes) => command.arg(bytes),
            };
        }
        command
    }
}

/// What the server answers to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing there.
    Nil,
    /// A number.
    Integer(i64),
    /// A string of bytes; a status is one too.
    Bytes(Bytes),
    /// Several answers; of a map, keys and values in turn.
    List(Vec<Reply>),
    /// The command failed: of the wrong type, say. Others in the same round trip may not have.
    Error,
}

impl Reply {
    /// The string, if it is one.
    #[must_use]
    pub fn bytes(self) -> Option<Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }
}

impl From<redis::Value> for Reply {
    fn from(value: redis::Value) -> Self {
        use redis::Value;
        match value {
            Value::Int(number) => Self::Integer(number),
            Value::Boolean(yes) => Self::Integer(i64::from(yes)),
            Value::BulkString(bytes) => Self::Bytes(bytes.into()),
            Value::SimpleString(text) => Self::Bytes(text.into()),
            Value::VerbatimString { text, .. } => Self::Bytes(text.into()),
            Value::Okay => Self::Bytes(Bytes::from_static(b"OK")),
            Value::Array(values) | Value::Set(values) => {
                Self::List(values.into_iter().map(Self::from).collect())
            }
            Value::Map(pairs) => Self::List(
                pairs
                    .into_iter()
                    .flat_map(|(key, value)| [key.into(), value.into()])
                    .collect(),
            ),
            Value::Double(number) => Self::Bytes(number.to_string().into()),
            Value::Attribute { data, .. } => Self::from(*data),
            Value::Nil => Self::Nil,
            _ => Self::Error,
        }
    }
}
