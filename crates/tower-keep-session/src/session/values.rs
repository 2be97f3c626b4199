//! Named values.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use tokio::time::sleep;

use super::{Map, Session};
use crate::{
    error::SessionError,
    place::{Operation, Written},
    record::Changes,
    value_error::ValueError,
};

/// Named values.
impl Session<Map> {
    /// The value of this name.
    ///
    /// # Errors
    ///
    /// What is stored is not a `V`. Other values can be read all the same.
    pub fn get<V: DeserializeOwned>(&self, name: &str) -> Result<Option<V>, SessionError> {
        let state = self.core.state();
        decode(state.record.fields.get(name))
    }

    /// Gives a name a value.
    ///
    /// # Errors
    ///
    /// The value cannot be written as JSON, the session would be too large, or it can only be read.
    pub fn set<V: Serialize>(&self, name: &str, value: &V) -> Result<(), SessionError> {
        let value = encode(value)?;
        self.core
            .change(Changes::from([(name.to_owned(), Some(value))]))
    }

    /// Takes a value away.
    ///
    /// # Errors
    ///
    /// The session can only be read.
    pub fn remove(&self, name: &str) -> Result<(), SessionError> {
        self.core.change(Changes::from([(name.to_owned(), None)]))
    }

    /// The names that have a value.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.core.state().record.fields.keys().cloned().collect()
    }

    /// Changes one value from what it is now, whoever else changes it at the same time: `change` is asked
    /// again until nobody was faster.
    ///
    /// # Errors
    ///
    /// The session has ended or can only be read, the store failed, a value cannot be converted, or others
    /// were faster 200 times.
    pub async fn update<V>(
        &self,
        name: &str,
        mut change: impl FnMut(Option<V>) -> Option<V>,
    ) -> Result<Option<V>, SessionError>
    where
        V: Serialize + DeserializeOwned,
    {
        // Then what this request sees is what the store has, but for what others do.
        self.core.save().await?;
        let mut present = self.core.state().record.fields.get(name).cloned();
        for tries in 0..MOST_TRIES {
            let next = change(decode(present.as_ref())?);
            let value = next.as_ref().map(encode).transpose()?;
            if value.is_none() && present.is_none() && self.is_empty() {
                return Ok(None);
            }
            let changes = Changes::from([(name.to_owned(), value)]);
            let expected = Operation::Expect(name.to_owned(), present);
            match self.core.operate(expected, changes).await? {
                Written::Conflict(other) => {
                    present = other;
                    sleep(pause(tries)).await;
                }
                _ => return Ok(next),
            }
        }
        Err(SessionError::Contended)
    }

    /// Whether there is no session yet, and there may be one.
    fn is_empty(&self) -> bool {
        let state = self.core.state();
        state.at.is_none() && !state.is_sealed && !state.is_read_only
    }

    /// Adds to a whole number (0 if there is none), and says the sum. However many do at the same time, none
    /// is lost.
    ///
    /// # Errors
    ///
    /// The value is not a whole number, the session has ended or can only be read, or the store failed.
    pub async fn increment(&self, name: &str, by: i64) -> Result<i64, SessionError> {
        let operation = Operation::Add(name.to_owned(), by);
        let Written::Sum(sum) = self.core.operate(operation, Changes::new()).await? else {
            return Err(SessionError::Ended);
        };
        let value = Bytes::from(sum.to_string());
        self.core.state().learn(name, Some(value));
        Ok(sum)
    }

    /// Takes a value out, once: of all that try at the same time, one gets it. For messages that are shown
    /// once.
    ///
    /// # Errors
    ///
    /// The value is not a `V` (it is gone all the same), the session can only be read, or the store failed.
    pub async fn take<V: DeserializeOwned>(&self, name: &str) -> Result<Option<V>, SessionError> {
        if self.core.state().at.is_none() {
            let value = self.get(name);
            if !matches!(value, Ok(None)) {
                self.remove(name)?;
            }
            return value;
        }
        let operation = Operation::Take(name.to_owned());
        let taken = match self.core.operate(operation, Changes::new()).await {
            Ok(Written::Taken(taken)) => taken,
            Ok(_) | Err(SessionError::Ended) => None,
            Err(error) => return Err(error),
        };
        self.core.state().learn(name, None);
        decode(taken.as_ref())
    }
}

fn encode<V: Serialize>(value: &V) -> Result<Bytes, SessionError> {
    let text = serde_json::to_vec(value).map_err(ValueError::from)?;
    Ok(text.into())
}

fn decode<V: DeserializeOwned>(value: Option<&Bytes>) -> Result<Option<V>, SessionError> {
    let value = value.map(|value| serde_json::from_slice(value));
    Ok(value.transpose().map_err(ValueError::from)?)
}

/// How long to wait for others that are faster: by chance, so that not all come again at once; a little longer
/// each time.
fn pause(tries: u64) -> Duration {
    let longest = 1 + tries.min(LONGEST_PAUSE);
    let random = RandomState::new().hash_one(tries);
    Duration::from_millis(random % longest)
}

const MOST_TRIES: u64 = 200;

/// Milliseconds.
const LONGEST_PAUSE: u64 = 20;
