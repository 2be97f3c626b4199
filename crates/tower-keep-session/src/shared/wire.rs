//! What the scripts are told, what is answered, and how a session lies in its hash.
//!
//! Fields of the application begin with a dot; ours with an at sign: `@c` when it began, `@a` when it ends at
//! the latest, `@i` when its ticket was given, `@u` its user, `@l` how surely, `@e` the user's epoch then, `@s` bytes of the application's
//! fields; of a session that ended, only `@t`: the digest of the one to which it leads, or nothing.

use std::{borrow::Cow, sync::LazyLock};

use bytes::Bytes;
use serde::Serialize;
use tower_keep_store::{Reply, Script};

use crate::{
    lifetimes::{Lifetimes, TOMBSTONE, millis},
    place::{At, Beginning, Listed, Operation, Replace, Replaced, Write, Written},
    record::{Changes, Found, Record},
};

macro_rules! script {
    ($name:literal, $file:literal) => {
        Script::new(
            $name,
            concat!(include_str!("prelude.lua"), include_str!($file)),
        )
    };
}

pub(super) static WRITE: LazyLock<Script> = LazyLock::new(|| script!("session-write", "write.lua"));
pub(super) static RENEW: LazyLock<Script> = LazyLock::new(|| script!("session-renew", "renew.lua"));
pub(super) static REPLACE: LazyLock<Script> =
    LazyLock::new(|| script!("session-replace", "replace.lua"));
pub(super) static END_ALL: LazyLock<Script> =
    LazyLock::new(|| script!("session-end-all", "end_all.lua"));

/// Names and values for the scripts: the server's msgpack knows strings, and no bytes.
type Text<'a> = Cow<'a, str>;

pub(super) fn found(fields: Reply, left: i64, epoch: Option<&[u8]>) -> Found {
    let Reply::List(fields) = fields else {
        return Found::Nothing;
    };
    let mut pairs = fields.into_iter();
    let mut record = Record::default();
    let mut moved = None;
    while let (Some(Reply::Bytes(name)), Some(Reply::Bytes(value))) = (pairs.next(), pairs.next()) {
        if &name[..] == b"@t" {
            moved = Some(unhex(&value));
        } else {
            read(&mut record, &name, value);
        }
    }
    let left = u64::try_from(left).unwrap_or(0);
    match moved {
        // After its grace it remains a sign that somebody has an old ticket.
        Some(Some(to)) if left > millis(TOMBSTONE) => return Found::Moved(to),
        Some(_) => return Found::Ended,
        None => {}
    }
    // A record that never ends is none of ours.
    if record.meta.ends == 0 || left == 0 || record.meta.epoch < number(epoch.unwrap_or_default()) {
        return Found::Nothing;
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

pub(super) fn renewal(given: u64, lifetimes: &Lifetimes) -> Vec<u8> {
    pack(&(given, lifetimes.idle_millis()))
}

pub(super) fn writing(write: &Write, is_owned: bool, given: u64, lifetimes: &Lifetimes) -> Vec<u8> {
    let (sets, deletes) = split(&write.changes);
    let (idle, largest) = (lifetimes.idle_millis(), lifetimes.largest);
    let owned = u8::from(is_owned);
    match &write.operation {
        Operation::None => {
            let none: [u8; 0] = [];
            pack(&(given, idle, largest, owned, sets, deletes, none))
        }
        Operation::Expect(name, Some(value)) => {
            let operation = ("expect", name, text(value));
            pack(&(given, idle, largest, owned, sets, deletes, operation))
        }
        Operation::Expect(name, None) => {
            let operation = ("expect", name, false);
            pack(&(given, idle, largest, owned, sets, deletes, operation))
        }
        Operation::Add(name, by) => {
            // As text: a number of Lua would lose its last digits.
            let operation = ("add", name, by.to_string());
            pack(&(given, idle, largest, owned, sets, deletes, operation))
        }
        Operation::Take(name) => {
            let operation = ("take", name);
            pack(&(given, idle, largest, owned, sets, deletes, operation))
        }
    }
}

pub(super) fn written(reply: &[u8]) -> Option<Written> {
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

pub(super) fn replacing(replace: &Replace, given: u64, lifetimes: &Lifetimes) -> Vec<u8> {
    let (sets, deletes) = split(&replace.changes);
    let old = replace.old;
    let old = (
        u8::from(old.is_some()),
        u8::from(old.is_some_and(|old| old.owner.is_some())),
        old.map_or_else(String::new, |old| hex(old.digest)),
    );
    let new = replace.new.as_ref();
    let is_rotated = new.is_some_and(|new| new.beginning == Beginning::Rotated);
    let tombstone = match new {
        Some(new) if is_rotated => {
            let lasts = millis(lifetimes.grace + TOMBSTONE);
            (lasts, hex(new.at.digest))
        }
        _ => (millis(TOMBSTONE), String::new()),
    };
    let (user, level) = match new.map(|new| &new.beginning) {
        Some(Beginning::Login { user, level }) => (user.as_str(), *level),
        _ => ("", 0),
    };
    let new = (
        u8::from(new.is_some()),
        u8::from(new.is_some_and(|new| new.at.owner.is_some())),
        u8::from(is_rotated),
        new.map_or_else(String::new, |new| hex(new.at.digest)),
        user,
        level.to_string(),
        new.map_or("", |new| new.label.as_str()),
    );
    pack(&(
        given,
        lifetimes.idle_millis(),
        lifetimes.absolute_millis(),
        lifetimes.largest,
        old,
        tombstone,
        new,
        lifetimes.most_per_user,
        u8::from(lifetimes.oldest_gives_way),
        sets,
        deletes,
    ))
}

pub(super) fn replaced(reply: &[u8]) -> Option<Replaced> {
    let (answer, flat): (String, Vec<Value>) = rmp_serde::from_slice(reply).ok()?;
    let mut record = Record::default();
    let mut values = flat.into_iter().map(Value::bytes);
    while let (Some(Some(name)), Some(Some(value))) = (values.next(), values.next()) {
        read(&mut record, &name, value);
    }
    Some(match answer.as_str() {
        "done" => Replaced::Done(record),
        "ended" => Replaced::Ended,
        "many" => Replaced::TooMany,
        "large" => Replaced::TooLarge,
        _ => return None,
    })
}

pub(super) fn ending_all(keep: Option<&At>, given: u64, lifetimes: &Lifetimes) -> Vec<u8> {
    let digest = keep.map_or_else(String::new, |keep| hex(keep.digest));
    // A little longer than any session of before can live.
    let lives = lifetimes.absolute_millis() + 60_000;
    pack(&(given, lives, u8::from(keep.is_some()), digest))
}

/// Reads a user's index.
pub(super) fn listed(reply: Reply) -> Vec<Listed> {
    let Reply::List(fields) = reply else {
        return Vec::new();
    };
    let mut listed = Vec::new();
    let mut pairs = fields.into_iter();
    while let (Some(Reply::Bytes(digest)), Some(Reply::Bytes(value))) = (pairs.next(), pairs.next())
    {
        let text = String::from_utf8_lossy(&value);
        let (created, label) = text.split_once(' ').unwrap_or((&text, ""));
        if let Some(digest) = unhex(&digest) {
            listed.push(Listed {
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
pub(super) fn is_of_epoch(reply: &Reply, epoch: Option<&[u8]>) -> bool {
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

/// Names and values that are set, in turn; and names that go.
fn split(changes: &Changes) -> (Vec<Text<'_>>, Vec<&str>) {
    let mut sets = Vec::new();
    let mut deletes = Vec::new();
    for (name, value) in changes {
        match value {
            Some(value) => {
                sets.push(Cow::Borrowed(name.as_str()));
                sets.push(text(value));
            }
            None => deletes.push(name.as_str()),
        }
    }
    (sets, deletes)
}

/// Values are JSON, and that is text.
fn text(value: &Bytes) -> Text<'_> {
    String::from_utf8_lossy(value)
}

/// 0 for what is no number; the scripts read numbers in the same way.
fn number(text: &[u8]) -> u64 {
    let is_whole = text.len() <= 15 && text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| is_whole);
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn hex(digest: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(digest))
}

fn unhex(text: &[u8]) -> Option<[u8; 16]> {
    let text = std::str::from_utf8(text).ok()?;
    let is_whole = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = is_whole.then(|| u128::from_str_radix(text, 16).ok())??;
    Some(number.to_be_bytes())
}

fn pack(value: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("numbers, strings and lists of them can be packed")
}
