//! Sessions of one type: each field of the type is a field of the session.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::Session;
use crate::{
    error::SessionError,
    record::{Changes, Fields},
    value_error::ValueError,
};

/// One type.
impl<T: Serialize + DeserializeOwned + Default> Session<T> {
    /// All of it. A field that cannot be read is as in `T::default()`, and does no harm to the others.
    #[must_use]
    pub fn data(&self) -> T {
        read(&self.core.state().record.fields)
    }

    /// Changes it. Only the fields that differ afterwards are written: whoever changes others at the same
    /// time, or has fields of which this type knows nothing, loses nothing.
    ///
    /// # Errors
    ///
    /// It cannot be written as a JSON object, would be too large, or can only be read.
    pub fn modify<R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R, SessionError> {
        let before = self.data();
        let fields_before = fields(&before)?;
        let mut after = before;
        let result = change(&mut after);
        let changes = difference(&fields_before, &fields(&after)?);
        if !changes.is_empty() {
            self.core.change(changes)?;
        }
        Ok(result)
    }
}

/// Makes a `T` of fields. One that cannot be read is left as it is in the default.
fn read<T: Serialize + DeserializeOwned + Default>(fields: &Fields) -> T {
    let default = T::default();
    let Ok(Value::Object(mut object)) = serde_json::to_value(&default) else {
        return default;
    };
    let parsed = fields
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), serde_json::from_slice(value).ok()?)));
    let parsed: Vec<(String, Value)> = parsed.collect();
    let mut whole = object.clone();
    whole.extend(parsed.iter().cloned());
    if let Ok(value) = serde_json::from_value(Value::Object(whole)) {
        return value;
    }
    // One of them does not fit: each is tried by itself.
    for (name, value) in parsed {
        let mut with = object.clone();
        with.insert(name, value);
        if serde_json::from_value::<T>(Value::Object(with.clone())).is_ok() {
            object = with;
        }
    }
    serde_json::from_value(Value::Object(object)).unwrap_or(default)
}

/// The fields of a value.
fn fields<T: Serialize>(value: &T) -> Result<Map<String, Value>, SessionError> {
    match serde_json::to_value(value).map_err(ValueError::from)? {
        Value::Object(object) => Ok(object),
        _ => Err(ValueError::no_object().into()),
    }
}

/// What has to be written so that what was before is as it is after.
fn difference(before: &Map<String, Value>, after: &Map<String, Value>) -> Changes {
    let changed = after
        .iter()
        .filter(|(name, value)| before.get(*name) != Some(value))
        .map(|(name, value)| (name.clone(), Some(value.to_string().into())));
    let gone = before
        .keys()
        .filter(|name| !after.contains_key(*name))
        .map(|name| (name.clone(), None));
    changed.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Cart {
        items: Vec<u32>,
        coupon: Option<String>,
        visits: u64,
    }

    fn stored(pairs: &[(&str, &str)]) -> Fields {
        let pair = |(name, value): &(&str, &str)| {
            (
                (*name).to_owned(),
                bytes::Bytes::copy_from_slice(value.as_bytes()),
            )
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_field_that_cannot_be_read_does_no_harm_to_the_others() {
        let fields = stored(&[
            ("items", "[1,2]"),
            ("visits", "\"many\""),
            ("coupon", "{not json"),
            ("of_another_version", "7"),
        ]);
        let cart = Cart {
            items: vec![1, 2],
            ..Cart::default()
        };
        assert_eq!(read::<Cart>(&fields), cart);
    }

    #[test]
    fn only_what_differs_is_written() {
        let before = fields(&Cart::default()).expect("an object");
        let after = Cart {
            visits: 1,
            ..Cart::default()
        };
        let changes = difference(&before, &fields(&after).expect("an object"));
        assert_eq!(changes.len(), 1);
        assert_eq!(changes["visits"].as_deref(), Some(&b"1"[..]));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert!(fields(&7).is_err());
    }
}
