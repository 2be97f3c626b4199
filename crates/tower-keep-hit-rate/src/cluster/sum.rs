//! The sum of what processes told.

use std::collections::HashMap;

use super::told::{Told, ToldClass, ToldWindow, WINDOWS};
use crate::{classes::OTHER, kind::Kind, windows::Window};

/// Classes by kind and label, at most 256 of them; what further ones counted is under `other`.
#[derive(Debug, Default)]
pub(super) struct Sum {
    classes: Vec<ToldClass>,
    /// Where they are, by kind and label.
    places: HashMap<Kind, HashMap<Box<str>, usize>>,
}

/// How long ago a process told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Age {
    /// As long ago as may be, in milliseconds: it is not silent.
    Fresh(u64),
    /// So many milliseconds.
    Silent(u64),
}

impl Sum {
    pub(super) fn add(&mut self, told: &Told, age: Age) {
        for class in &told.classes {
            let sum = self.class(class.kind, &class.label);
            for (place, window) in WINDOWS.into_iter().enumerate() {
                if let Some(still) = still_in(window, class, age) {
                    sum.windows[place].add(&still);
                }
            }
            sum.add_latencies(class);
        }
    }

    /// The busiest first.
    pub(super) fn finish(mut self) -> Vec<ToldClass> {
        let rank = |class: &ToldClass| std::cmp::Reverse(class.windows[3].counts.requests());
        self.classes
            .sort_by(|one, other| (rank(one), &one.label).cmp(&(rank(other), &other.label)));
        self.classes
    }

    fn class(&mut self, kind: Kind, label: &str) -> &mut ToldClass {
        let known = self.places.get(&kind).and_then(|of| of.get(label)).copied();
        let place = match known {
            Some(place) => place,
            None if self.classes.len() >= MOST && label != OTHER => {
                return self.class(kind, OTHER);
            }
            None => self.make(kind, label.into()),
        };
        &mut self.classes[place]
    }

    fn make(&mut self, kind: Kind, label: Box<str>) -> usize {
        let places = self.places.entry(kind).or_default();
        places.insert(label.clone(), self.classes.len());
        self.classes.push(ToldClass::empty(kind, label));
        self.classes.len() - 1
    }
}

/// What surely lies in a window that ends now, of a class whose windows ended that long ago.
fn still_in(window: Window, class: &ToldClass, age: Age) -> Option<ToldWindow> {
    let (place, length) = match window {
        Window::Minute => (0, 60_000),
        Window::FiveMinutes => (1, 300_000),
        Window::Hour => (2, 3_600_000),
        Window::Start => return Some(class.windows[3]),
    };
    let age = match age {
        // Little is lost of it, and little too much in it.
        Age::Fresh(age) if age <= length / 4 => return Some(class.windows[place]),
        Age::Fresh(age) | Age::Silent(age) => age,
    };
    let is_inside = |told: &&ToldWindow| told.length.saturating_add(age) <= length;
    let told = class.windows[..=place].iter().rev().find(is_inside)?;
    Some(ToldWindow {
        length: told.length.saturating_add(age),
        ..*told
    })
}

/// Less the `other` of each kind.
const MOST: usize = 256 - Kind::ALL.len();
