//! What is known of a request that is under way, in a place that is used again after it.

use std::{
    cell::RefCell,
    ops::{Deref, DerefMut},
};

use tower_keep_store::Told;

use crate::{cell::RequestCell, classes::ClassId, monitor::Membership};

/// The notes of one request. When it is over the thread keeps them for another: what most requests cost is then
/// a place in the extensions, and no notes and no cell.
#[derive(Debug)]
pub(crate) struct Notes(Option<Box<Note>>);

#[derive(Debug, Default)]
pub(crate) struct Note {
    pub(crate) cell: RequestCell,
    pub(crate) membership: Membership,
    /// The hash of what it asked for.
    pub(crate) key: u64,
    pub(crate) began: u64,
    /// A cache might answer it.
    pub(crate) is_cacheable: bool,
    /// Simulated caches were asked for it.
    pub(crate) is_simulated: bool,
    /// Its answer has no body on the wire.
    pub(crate) is_head: bool,
    /// Its answer tells what took how long.
    pub(crate) is_timed: bool,
    /// The inner service, its future or its body is at work: if this is dropped now, that has panicked.
    pub(crate) is_inside: bool,
    /// What it was counted as, and when its head was there.
    pub(crate) counted: Option<(ClassId, Told)>,
    pub(crate) answered: u64,
    /// Bytes that have come, and those that were promised.
    pub(crate) bytes: u64,
    pub(crate) promised: Option<u64>,
    pub(crate) is_over: bool,
}

impl Notes {
    /// Empty ones.
    #[inline]
    pub(crate) fn take() -> Self {
        let spare = SPARE.try_with(|spare| spare.borrow_mut().pop());
        Self(Some(spare.ok().flatten().unwrap_or_default()))
    }
}

impl Note {
    #[inline]
    fn reset(&mut self) {
        self.cell.reset();
        self.membership = Membership::default();
        self.counted = None;
        self.promised = None;
        self.bytes = 0;
        (self.is_simulated, self.is_timed, self.is_over) = (false, false, false);
    }
}

impl Deref for Notes {
    type Target = Note;

    #[inline]
    fn deref(&self) -> &Note {
        self.0.as_ref().expect("taken only when it is dropped")
    }
}

impl DerefMut for Notes {
    #[inline]
    fn deref_mut(&mut self) -> &mut Note {
        self.0.as_mut().expect("taken only when it is dropped")
    }
}

impl Drop for Notes {
    #[inline]
    fn drop(&mut self) {
        let Some(mut note) = self.0.take() else {
            return;
        };
        note.reset();
        let _thread_ends = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < MOST_SPARE {
                // At once, so that it never grows again.
                let room = MOST_SPARE - spare.len();
                spare.reserve_exact(room);
                spare.push(note);
            }
        });
    }
}

thread_local! {
    #[allow(clippy::vec_box, reason = "they stay where they are")]
    static SPARE: RefCell<Vec<Box<Note>>> = const { RefCell::new(Vec::new()) };
}

/// Of each thread: 16 KiB with their cells.
const MOST_SPARE: usize = 64;
