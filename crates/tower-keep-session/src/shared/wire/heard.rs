//! What is read, and what the scripts answer.

use bytes::Bytes;
use tower_keep_store::Reply;

use super::{packed, unhex};
use crate::{
    lifetimes::{TOMBSTONE, TRAIL, millis},
    place::{Ended, Listed, Replaced, Written},
    record::{Found, Record},
};

/// What a string says of a session; of a user's, the epoch says more. How many milliseconds its key lives need not be
/// known in most cases; nothing where it has to be.
pub(in crate::shared) fn found(
    text: &Bytes,
    left: Option<i64>,
    epoch: Option<Option<&Bytes>>,
    now: u64,
) -> Option<Found> {
    let left = left.map(|left| u64::try_from(left).unwrap_or(0));
    if let [b't', tombstone @ ..] = &text[..] {
        return buried(tombstone, left);
    }
    let Some((record, stays)) = record(text) else {
        return Some(Found::Nothing);
    };
    // Whoever finds it overdue has another clock than the server, or it is to live for ever: then it is none of ours.
    let left = left.or_else(|| stays.checked_sub(now).filter(|left| *left > 0))?;
    if left == 0 {
        return Some(Found::Nothing);
    }
    let epoch = match epoch {
        None => 0,
        Some(epoch) => match epoch.and_then(|epoch| number(epoch)) {
            Some(epoch) => epoch,
            // Whether it was ended with all others, nobody knows.
            None => return Some(Found::Nothing),
        },
    };
    if record.meta.epoch >= epoch {
        return Some(Found::Session(record, left));
    }
    // An epoch is the time of the logout: what is left of the session stands for a tombstone.
    let is_over = epoch.saturating_add(millis(TOMBSTONE)) <= now;
    Some(if is_over {
        Found::Nothing
    } else {
        Found::Ended(None)
    })
}

fn buried(tombstone: &[u8], left: Option<u64>) -> Option<Found> {
    if let [to @ .., b'w'] = tombstone {
        return Some(unhex(to).map_or(Found::Ended(None), Found::Moved));
    }
    let Some(to) = unhex(tombstone) else {
        return Some(Found::Ended(None));
    };
    // After its grace it remains a sign that somebody has an old ticket.
    Some(if left? > millis(TRAIL) {
        Found::Moved(to)
    } else {
        Found::Ended(Some(to))
    })
}

/// The session in a string, and until when it stays if nobody comes; nothing if it is none, or one of a layout that
/// nobody knows yet.
fn record(text: &Bytes) -> Option<(Record, u64)> {
    let [b's', rest @ ..] = &text[..] else {
        return None;
    };
    let mut parts = rest.splitn(4, |byte| *byte == b' ');
    let mut record = Record::default();
    record.meta.ends = number(parts.next()?).filter(|ends| *ends > 0)?;
    record.meta.epoch = number(parts.next()?)?;
    let stays = number(parts.next()?)?;
    packed::each(parts.next()?, |name, value| {
        read(&mut record, name, value, text);
    })?;
    Some((record, stays))
}

/// Takes one field of the text in. One that cannot be read leaves the others as they are.
fn read(record: &mut Record, name: &[u8], value: &[u8], text: &Bytes) {
    let meta = &mut record.meta;
    match name {
        [b'.', name @ ..] => {
            if let Ok(name) = std::str::from_utf8(name) {
                record.fields.insert(name.to_owned(), text.slice_ref(value));
            }
        }
        b"@c" => meta.created = number(value).unwrap_or(0),
        b"@i" => meta.issued = number(value).unwrap_or(0),
        b"@d" => meta.id = unhex(value).unwrap_or_default(),
        b"@p" => meta.befores = befores(value),
        b"@l" => meta.level = number(value).map_or(0, |level| u8::try_from(level).unwrap_or(0)),
        b"@u" => meta.user = String::from_utf8(value.to_vec()).ok(),
        _ => {}
    }
}

/// One digest or two, one after the other; none in what is neither.
fn befores(text: &[u8]) -> Vec<[u8; 16]> {
    let digests = text.chunks(32).map(unhex).collect::<Option<Vec<_>>>();
    let digests = digests.filter(|digests| digests.len() <= 2);
    digests.unwrap_or_default()
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
    let (answer, text, gave_way): (String, Value, Vec<Value>) =
        rmp_serde::from_slice(reply).ok()?;
    Some(match answer.as_str() {
        "done" => {
            let record = match text.bytes() {
                Some(text) => record(&text)?.0,
                None => Record::default(),
            };
            let gave_way = gave_way.into_iter().filter_map(Value::bytes);
            let gave_way = gave_way.filter_map(|digest| unhex(&digest));
            Replaced::Done(record, gave_way.collect())
        }
        "ended" => Replaced::Ended,
        "many" => Replaced::TooMany,
        "large" => Replaced::TooLarge,
        _ => return None,
    })
}

/// The server's time, in milliseconds.
pub(in crate::shared) fn time(reply: &[u8]) -> Option<u64> {
    number(reply)
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
                created: number(created.as_bytes()).unwrap_or(0),
                label: label.to_owned(),
            });
        }
    }
    listed.sort_by_key(Listed::order);
    listed
}

/// Whether a session whose string begins like this has not been ended with all others of its user.
pub(in crate::shared) fn is_of_epoch(head: &Reply, epoch: Option<&[u8]>) -> bool {
    let Reply::Bytes(head) = head else {
        return false;
    };
    let Some(head) = head.strip_prefix(b"s") else {
        return false;
    };
    let of = head.split(|byte| *byte == b' ').nth(1).and_then(number);
    of.zip(epoch.and_then(number))
        .is_some_and(|(of, epoch)| of >= epoch)
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

/// Nothing for what is no number; the scripts read numbers in the same way.
fn number(text: &[u8]) -> Option<u64> {
    let is_whole = text.len() <= 15 && text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| is_whole);
    text.and_then(|text| text.parse().ok())
}
