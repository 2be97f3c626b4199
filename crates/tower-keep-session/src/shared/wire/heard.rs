//! What is read, and what the scripts answer.

use bytes::Bytes;
use tower_keep_store::Reply;

use super::unhex;
use crate::{
    lifetimes::{TOMBSTONE, TRAIL, millis},
    place::{Ended, Listed, Replaced, Written},
    record::{Found, Record},
};

pub(in crate::shared) fn found(fields: Reply, left: i64, epoch: Option<&[u8]>, now: u64) -> Found {
    let Reply::List(fields) = fields else {
        return Found::Nothing;
    };
    let mut pairs = fields.into_iter();
    let mut record = Record::default();
    let (mut moved, mut waits) = (None, false);
    while let (Some(Reply::Bytes(name)), Some(Reply::Bytes(value))) = (pairs.next(), pairs.next()) {
        match &name[..] {
            b"@t" => moved = Some(unhex(&value)),
            b"@w" => waits = true,
            _ => read(&mut record, &name, value),
        }
    }
    let left = u64::try_from(left).unwrap_or(0);
    match moved {
        // After its grace it remains a sign that somebody has an old ticket.
        Some(Some(to)) if waits || left > millis(TRAIL) => return Found::Moved(to),
        Some(to) => return Found::Ended(to),
        None => {}
    }
    // A record that never ends is none of ours.
    if record.meta.ends == 0 || left == 0 {
        return Found::Nothing;
    }
    let epoch = number(epoch.unwrap_or_default());
    if record.meta.epoch < epoch {
        // An epoch is the time of the logout: what is left of the session stands for a tombstone.
        let is_over = epoch.saturating_add(millis(TOMBSTONE)) <= now;
        return if is_over {
            Found::Nothing
        } else {
            Found::Ended(None)
        };
    }
    Found::Session(record, left)
}

/// Takes one field of the hash in. One that cannot be read leaves the others as they are.
fn read(record: &mut Record, name: &[u8], value: Bytes) {
    let meta = &mut record.meta;
    match name {
        b"@c" => meta.created = number(&value),
        b"@a" => meta.ends = number(&value),
        b"@i" => meta.issued = number(&value),
        b"@e" => meta.epoch = number(&value),
        b"@d" => meta.id = unhex(&value).unwrap_or_default(),
        b"@p" => meta.before = unhex(&value),
        b"@l" => meta.level = u8::try_from(number(&value)).unwrap_or(0),
        b"@u" => meta.user = String::from_utf8(value.to_vec()).ok(),
        [b'.', name @ ..] => {
            if let Ok(name) = std::str::from_utf8(name) {
                record.fields.insert(name.to_owned(), value);
            }
        }
        _ => {}
    }
}

pub(in crate::shared) fn written(reply: &[u8]) -> Option<Written> {
    let (answer, value): (String, Value) = rmp_serde::from_slice(reply).ok()?;
    Some(match answer.as_str() {
        "done" => Written::Done,
        "ended" => Written::Ended,
        "conflict" => Written::Conflict(value.bytes()),
        "number" => Written::NotANumber,
        "large" => Written::TooLarge,
        "sum" => {
            let sum = value.bytes()?;
            Written::Sum(std::str::from_utf8(&sum).ok()?.parse().ok()?)
        }
        "taken" => Written::Taken(value.bytes()),
        _ => return None,
    })
}

pub(in crate::shared) fn replaced(reply: &[u8]) -> Option<Replaced> {
    let (answer, flat): (String, Vec<Value>) = rmp_serde::from_slice(reply).ok()?;
    let mut record = Record::default();
    let mut gave_way = Vec::new();
    let mut values = flat.into_iter().map(Value::bytes);
    while let (Some(Some(name)), Some(Some(value))) = (values.next(), values.next()) {
        match &name[..] {
            b"@v" => gave_way.extend(unhex(&value)),
            _ => read(&mut record, &name, value),
        }
    }
    Some(match answer.as_str() {
        "done" => Replaced::Done(record, gave_way),
        "ended" => Replaced::Ended,
        "many" => Replaced::TooMany,
        "large" => Replaced::TooLarge,
        _ => return None,
    })
}

pub(in crate::shared) fn ended(reply: &[u8]) -> Option<Ended> {
    Some(match reply {
        b"0" => Ended::Refused,
        b"1" => Ended::Before,
        [b'1', digest @ ..] => Ended::Now(unhex(digest)?),
        _ => return None,
    })
}

/// Reads a user's index.
pub(in crate::shared) fn listed(reply: Reply) -> Vec<Listed> {
    let Reply::List(fields) = reply else {
        return Vec::new();
    };
    let mut listed = Vec::new();
    let mut pairs = fields.into_iter();
    while let (Some(Reply::Bytes(id)), Some(Reply::Bytes(value))) = (pairs.next(), pairs.next()) {
        let text = String::from_utf8_lossy(&value);
        let mut parts = text.splitn(3, ' ');
        let (created, digest) = (parts.next(), parts.next());
        let (created, label) = (created.unwrap_or(""), parts.next().unwrap_or(""));
        let digest = digest.and_then(|digest| unhex(digest.as_bytes()));
        if let (Some(id), Some(digest)) = (unhex(&id), digest) {
            listed.push(Listed {
                id,
                digest,
                created: number(created.as_bytes()),
                label: label.to_owned(),
            });
        }
    }
    listed.sort_by_key(Listed::order);
    listed
}

/// Whether a session whose epoch this is has not been ended with all others of its user.
pub(in crate::shared) fn is_of_epoch(reply: &Reply, epoch: Option<&[u8]>) -> bool {
    match reply {
        Reply::Bytes(of) => number(of) >= number(epoch.unwrap_or_default()),
        _ => false,
    }
}

/// A string or nothing, as the scripts pack it.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Bytes(serde_bytes::ByteBuf),
    #[allow(dead_code, reason = "false stands for nothing")]
    None(bool),
}

impl Value {
    fn bytes(self) -> Option<Bytes> {
        match self {
            Self::Text(text) => Some(text.into()),
            Self::Bytes(bytes) => Some(bytes.into_vec().into()),
            Self::None(_) => None,
        }
    }
}

/// 0 for what is no number; the scripts read numbers in the same way.
fn number(text: &[u8]) -> u64 {
    let is_whole = text.len() <= 15 && text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| is_whole);
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}
