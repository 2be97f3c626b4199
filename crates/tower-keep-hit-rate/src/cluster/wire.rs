//! Snapshots as bytes, in numbers of variable length (LEB128).
//!
//! The version, how many figures there are, uptime, requests, in flight, and how many classes; for each class its
//! kind, its label with the length before it, four windows (length, a bit for each figure that is not zero, those
//! figures) and four latencies (how many cells, and for each how far from the last, and its count). Nothing after.

use std::{collections::BTreeMap, str};

use super::{
    coarse::Coarse,
    told::{Told, ToldClass, ToldWindow},
};
use crate::{
    classes::OTHER,
    counts::{Counts, FIGURES, OUTCOMES},
    histogram::COARSE_CELLS,
    kind::Kind,
    label::LONGEST as LONGEST_LABEL,
};

/// The bytes of a snapshot, at most [`LONGEST`]. Classes for which there is no room become `other`.
pub(super) fn encode(told: &Told) -> Vec<u8> {
    let (mut classes, mut count, mut others) = (Vec::new(), 0, BTreeMap::new());
    for class in &told.classes {
        let start = classes.len();
        let mut is_told = &*class.label != OTHER && count < MOST_CLASSES;
        if is_told {
            push_class(&mut classes, class);
            is_told = classes.len() <= ROOM;
        }
        if is_told {
            count += 1;
        } else {
            classes.truncate(start);
            let empty = || ToldClass::empty(class.kind, OTHER.into());
            let other = others.entry(class.kind).or_insert_with(empty);
            other.add(class);
        }
    }
    let mut bytes = vec![VERSION];
    for number in [
        FIGURES as u64,
        told.uptime,
        told.requests,
        told.in_flight,
        count + others.len() as u64,
    ] {
        push(&mut bytes, number);
    }
    bytes.append(&mut classes);
    for other in others.values_mut() {
        let start = bytes.len();
        push_class(&mut bytes, other);
        if bytes.len() > LONGEST {
            bytes.truncate(start);
            other.latencies = Default::default();
            push_class(&mut bytes, other);
        }
    }
    bytes
}

/// What a process told; none where these bytes are not that, all of it and nothing more.
pub(super) fn decode(bytes: &[u8]) -> Option<Told> {
    let mut reader = Reader(bytes);
    if reader.byte()? != VERSION || reader.number()? != FIGURES as u64 {
        return None;
    }
    let (uptime, requests, in_flight) = (reader.number()?, reader.number()?, reader.number()?);
    let count = reader.up_to(MOST_CLASSES + MOST_OTHERS)?;
    let classes = (0..count).map(|_| reader.class()).collect::<Option<_>>()?;
    let is_possible = uptime <= LONGEST_TIME && requests <= MOST_REQUESTS;
    (is_possible && reader.0.is_empty()).then_some(Told {
        uptime,
        requests,
        in_flight,
        classes,
    })
}

fn push_class(bytes: &mut Vec<u8>, class: &ToldClass) {
    bytes.push(class.kind as u8);
    push(bytes, class.label.len() as u64);
    bytes.extend_from_slice(class.label.as_bytes());
    for window in &class.windows {
        push_window(bytes, window);
    }
    for latencies in &class.latencies {
        push_latencies(bytes, latencies);
    }
}

fn push_window(bytes: &mut Vec<u8>, window: &ToldWindow) {
    let figures = window.counts.figures();
    let present = |(place, figure): (usize, &u64)| u64::from(*figure > 0) << place;
    push(bytes, window.length);
    push(bytes, figures.iter().enumerate().map(present).sum());
    for figure in figures.iter().filter(|figure| **figure > 0) {
        push(bytes, *figure);
    }
}

fn push_latencies(bytes: &mut Vec<u8>, latencies: &Coarse) {
    push(bytes, latencies.cells.len() as u64);
    let mut next = 0;
    for (cell, count) in &latencies.cells {
        push(bytes, u64::from(cell - next));
        push(bytes, *count);
        next = cell + 1;
    }
}

fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Reads from the front, and never what is not there.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7F);
            if part > u64::MAX >> shift {
                return None;
            }
            number |= part << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn up_to(&mut self, most: u64) -> Option<u64> {
        self.number().filter(|number| *number <= most)
    }

    fn class(&mut self) -> Option<ToldClass> {
        let kind = usize::from(self.byte()?);
        let kind = Kind::ALL.get(kind).copied()?;
        let length = usize::try_from(self.up_to(LONGEST_LABEL as u64)?).ok()?;
        let (label, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        let mut class = ToldClass::empty(kind, str::from_utf8(label).ok()?.into());
        for window in &mut class.windows {
            *window = self.window()?;
        }
        for latencies in &mut class.latencies {
            *latencies = self.latencies()?;
        }
        Some(class)
    }

    fn window(&mut self) -> Option<ToldWindow> {
        let length = self.up_to(LONGEST_TIME)?;
        let present = self.up_to((1 << FIGURES) - 1)?;
        let mut figures = [0; FIGURES];
        for (place, figure) in figures.iter_mut().enumerate() {
            if present >> place & 1 == 1 {
                let is_outcome = place < OUTCOMES.len();
                *figure = self.up_to(if is_outcome { MOST_REQUESTS } else { u64::MAX })?;
            }
        }
        Some(ToldWindow {
            length,
            counts: Counts::from_figures(figures),
        })
    }

    fn latencies(&mut self) -> Option<Coarse> {
        let (mut latencies, mut next) = (Coarse::default(), 0);
        for _ in 0..self.up_to(COARSE_CELLS)? {
            let cell = next + self.up_to(COARSE_CELLS)?;
            let place = u16::try_from(cell).ok().filter(|_| cell < COARSE_CELLS)?;
            latencies.cells.push((place, self.up_to(MOST_REQUESTS)?));
            next = cell + 1;
        }
        Some(latencies)
    }
}

const VERSION: u8 = 1;

/// What a snapshot has at most, in bytes; the scripts know it too.
pub(super) const LONGEST: usize = 48 << 10;

/// Of that, what classes with a name of their own may take. One of the greatest numbers takes 14 KiB.
const ROOM: usize = 32 << 10;

const MOST_CLASSES: u64 = 256;
/// One of each kind.
const MOST_OTHERS: u64 = 8;

/// A process that answers a million requests a second has answered so many after 35 years.
const MOST_REQUESTS: u64 = 1 << 50;

/// 139 years, in milliseconds.
const LONGEST_TIME: u64 = 1 << 42;
