//! The classes that were seen, found by their labels without a lock.

use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use foldhash::fast::RandomState;

use crate::{
    class::Class,
    kind::Kind,
    label::{LONGEST, cut},
    rules::Rules,
};

/// A table that only grows, to 256 classes; all further labels of a kind are one class, `other`.
#[derive(Debug)]
pub(crate) struct Classes {
    hasher: RandomState,
    /// By the hash of the label, or after the next that is taken.
    slots: Box<[OnceLock<Box<Class>>]>,
    /// Of requests without a label, and of those with one too many.
    unmatched: OnceLock<Box<Class>>,
    others: [OnceLock<Box<Class>>; Kind::ALL.len()],
    taken: AtomicUsize,
}

/// Where a class is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClassId {
    Slot(u16),
    Unmatched,
    Other(Kind),
}

impl ClassId {
    /// It by a number.
    #[inline]
    pub(crate) fn number(self) -> u16 {
        match self {
            Self::Slot(slot) => slot,
            Self::Unmatched => FIRST_SHARED,
            Self::Other(kind) => FIRST_SHARED + 1 + kind as u16,
        }
    }

    pub(crate) fn of_number(number: u16) -> Option<Self> {
        match number.checked_sub(FIRST_SHARED) {
            None => Some(Self::Slot(number)),
            Some(0) => Some(Self::Unmatched),
            Some(other) => Kind::ALL
                .get(usize::from(other) - 1)
                .copied()
                .map(Self::Other),
        }
    }
}

/// What becomes of a label.
enum Looked {
    Found(ClassId),
    /// It would be the next to take this slot.
    Vacant(usize),
}

impl Classes {
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::default(),
            slots: (0..SLOTS).map(|_| OnceLock::new()).collect(),
            unmatched: OnceLock::new(),
            others: Default::default(),
            taken: AtomicUsize::new(0),
        }
    }

    /// The class of a label of requests, if it has been seen.
    pub(crate) fn find(&self, label: &str) -> Option<ClassId> {
        match self.look(Kind::Http, cut(label, LONGEST)) {
            Looked::Found(id) => Some(id),
            Looked::Vacant(_) => None,
        }
    }

    /// The class of a label, made if there is room for it.
    pub(crate) fn find_or_make(&self, kind: Kind, label: &str, now: u64, rules: &Rules) -> ClassId {
        let label = cut(label, LONGEST);
        loop {
            let slot = match self.look(kind, label) {
                Looked::Found(id) => return id,
                Looked::Vacant(slot) => slot,
            };
            if !self.reserve() {
                return ClassId::Other(kind);
            }
            let class = Box::new(Class::new(kind, label, now, rules));
            if self.slots[slot].set(class).is_err() {
                // Another was faster, with this label or with another one.
                self.taken.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    #[inline]
    pub(crate) fn get(&self, id: ClassId, now: u64, rules: &Rules) -> &Class {
        let make = |kind, label| move || Box::new(Class::new(kind, label, now, rules));
        match id {
            ClassId::Slot(slot) => self.slots[usize::from(slot)]
                .get()
                .expect("an id is given out for a slot that is taken"),
            ClassId::Unmatched => self.unmatched.get_or_init(make(Kind::Http, UNMATCHED)),
            ClassId::Other(kind) => self.others[kind as usize].get_or_init(make(kind, OTHER)),
        }
    }

    /// All that were seen.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Class> {
        let rest = self.others.iter().chain([&self.unmatched]);
        let all = self.slots.iter().chain(rest);
        all.filter_map(|slot| Some(&**slot.get()?))
    }

    fn look(&self, kind: Kind, label: &str) -> Looked {
        match (kind, label) {
            (Kind::Http, UNMATCHED) => return Looked::Found(ClassId::Unmatched),
            (_, OTHER) => return Looked::Found(ClassId::Other(kind)),
            _ => {}
        }
        let first = self.first(kind, label);
        // Half of the slots stay vacant, so it ends.
        for slot in (first..SLOTS).chain(0..first) {
            match self.slots[slot].get() {
                Some(class) if class.label() == label && class.kind() == kind => {
                    let slot = u16::try_from(slot).expect("there are fewer slots");
                    return Looked::Found(ClassId::Slot(slot));
                }
                Some(_) => {}
                None => return Looked::Vacant(slot),
            }
        }
        Looked::Found(ClassId::Other(kind))
    }

    fn first(&self, kind: Kind, label: &str) -> usize {
        use std::hash::BuildHasher;

        let hash = self.hasher.hash_one((kind, label)) % SLOTS as u64;
        usize::try_from(hash).expect("less than a small number")
    }

    fn reserve(&self) -> bool {
        let order = Ordering::Relaxed;
        let one_more = |taken| (taken < MOST).then_some(taken + 1);
        self.taken.fetch_update(order, order, one_more).is_ok()
    }
}

const SLOTS: usize = 512;
const FIRST_SHARED: u16 = 512;

/// Labels of their own; with the four that need no room, 256 classes.
const MOST: usize = 252;

pub(crate) const UNMATCHED: &str = "unmatched";
pub(crate) const OTHER: &str = "other";

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, thread};

    use super::*;

    #[test]
    fn a_label_is_found_again_and_one_too_many_is_another() {
        let (classes, rules) = (Classes::new(), Rules::default());
        for number in 0..1000 {
            let label = format!("/jobs/{number}");
            let id = classes.find_or_make(Kind::Http, &label, 0, &rules);
            assert_eq!(id == ClassId::Other(Kind::Http), number >= MOST);
            assert_eq!(classes.find(&label).is_some(), number < MOST);
            assert_eq!(classes.find_or_make(Kind::Http, &label, 0, &rules), id);
        }
        classes.get(ClassId::Other(Kind::Http), 0, &rules);
        assert_eq!(classes.all().count(), MOST + 1);
    }

    #[test]
    fn a_long_label_is_cut_and_a_reserved_one_is_what_it_says() {
        let (classes, rules) = (Classes::new(), Rules::default());
        let long = "x".repeat(4096);
        let id = classes.find_or_make(Kind::Http, &long, 0, &rules);
        assert_eq!(classes.find(&long), Some(id));
        assert_eq!(classes.get(id, 0, &rules).label().len(), LONGEST);
        assert_eq!(
            classes.find_or_make(Kind::Http, OTHER, 0, &rules),
            ClassId::Other(Kind::Http)
        );
        assert_eq!(classes.find(UNMATCHED), Some(ClassId::Unmatched));
    }

    #[test]
    fn labels_of_different_kinds_are_different_classes() {
        let (classes, rules) = (Classes::new(), Rules::default());
        let ids = Kind::ALL.map(|kind| classes.find_or_make(kind, "jobs", 0, &rules));
        let kinds = ids.map(|id| classes.get(id, 0, &rules).kind());
        assert_eq!(kinds, Kind::ALL);
        let unmatched = classes.find_or_make(Kind::Objects, UNMATCHED, 0, &rules);
        assert_ne!(unmatched, ClassId::Unmatched);
    }

    #[test]
    fn threads_that_meet_agree_on_the_class() {
        let (classes, rules) = (Classes::new(), Rules::default());
        let labels: Vec<_> = (0..500).map(|number| number.to_string()).collect();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for label in &labels {
                        classes.find_or_make(Kind::Http, label, 0, &rules);
                    }
                });
            }
        });
        let seen: Vec<_> = classes.all().map(Class::label).collect();
        assert!(seen.len() <= MOST && seen.len() > MOST - 4);
        assert_eq!(seen.iter().collect::<HashSet<_>>().len(), seen.len());
    }
}
