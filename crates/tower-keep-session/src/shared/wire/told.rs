//! What the scripts are told.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;

use super::hex;
use crate::{
    lifetimes::{LONGEST, Lifetimes, TOMBSTONE, millis},
    place::{At, Beginning, Operation, Replace, Write},
    record::Changes,
};

/// Names and values for the scripts: the server's msgpack knows strings, and no bytes.
type Text<'a> = Cow<'a, str>;

pub(in crate::shared) fn renewal(given: u64, lifetimes: &Lifetimes) -> Vec<u8> {
    pack(&(given, lifetimes.idle_millis()))
}

pub(in crate::shared) fn settling(befores: &[At], given: u64, lifetimes: &Lifetimes) -> Vec<u8> {
    let befores: String = befores.iter().map(|before| hex(before.digest)).collect();
    pack(&(given, befores, lifetimes.trail_millis()))
}

pub(in crate::shared) fn writing(
    write: &Write,
    is_owned: bool,
    given: u64,
    lifetimes: &Lifetimes,
) -> Vec<u8> {
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

pub(in crate::shared) fn replacing(
    replace: &Replace,
    given: u64,
    lifetimes: &Lifetimes,
) -> Vec<u8> {
    let (sets, deletes) = split(&replace.changes);
    let old = replace.old;
    let old = (
        u8::from(old.is_some()),
        u8::from(old.is_some_and(|old| old.owner.is_some())),
        old.map_or_else(String::new, |old| hex(old.digest)),
    );
    let new = replace.new.as_ref();
    let is_rotated = new.is_some_and(|new| new.beginning == Beginning::Rotated);
    let came = replace.came.map_or_else(String::new, |at| hex(at.digest));
    let tombstone = match new {
        Some(new) if is_rotated => {
            let is_untold = u8::from(!lifetimes.grace.is_zero());
            (
                lifetimes.trail_millis(),
                hex(new.at.digest),
                is_untold,
                came,
            )
        }
        _ => (millis(TOMBSTONE), String::new(), 0, String::new()),
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

pub(in crate::shared) fn ending_all(is_guarded: bool, keeps: bool, given: u64) -> Vec<u8> {
    // A little longer than any session of before can live, by whichever layer's deadlines it does.
    let lives = millis(LONGEST) + 60_000;
    pack(&(given, lives, u8::from(is_guarded), u8::from(keeps)))
}

pub(in crate::shared) fn revoking(id: [u8; 16], is_guarded: bool, given: u64) -> Vec<u8> {
    pack(&(given, u8::from(is_guarded), hex(id), millis(TOMBSTONE)))
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

fn pack(value: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("numbers, strings and lists of them can be packed")
}
