//! What a write does to a record.

use bytes::Bytes;

use crate::{
    place::{Operation, Write, Written},
    record::Record,
};

/// Carries out a write on a copy; what it was refused for otherwise.
pub(super) fn apply(record: &mut Record, write: Write) -> Result<Written, Written> {
    let written = match write.operation {
        Operation::None => Written::Done,
        Operation::Expect(name, expected) => {
            let present = record.fields.get(&name).cloned();
            if present != expected {
                return Err(Written::Conflict(present));
            }
            Written::Done
        }
        Operation::Add(name, by) => {
            let present = record.fields.get(&name).map(number);
            let sum = match present {
                None => Some(by),
                Some(number) => number.and_then(|number| number.checked_add(by)),
            };
            let sum = sum.ok_or(Written::NotANumber)?;
            let text = Bytes::from(sum.to_string());
            record.fields.insert(name, text);
            Written::Sum(sum)
        }
        Operation::Take(name) => Written::Taken(record.fields.remove(&name)),
    };
    record.change(write.changes);
    Ok(written)
}

fn number(text: &Bytes) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
