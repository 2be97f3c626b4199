//! The cell that travels with a request, used again after it.

use std::{cell::RefCell, ops::Deref};

use http::Extensions;
use tower_keep_store::OutcomeCell;

/// The cell of a request. When the request is over and nobody else holds the cell, the thread keeps it for
/// another one: what most requests cost is then a place in the extensions, and no cell.
#[derive(Debug)]
pub(crate) struct RequestCell(Option<OutcomeCell>);

impl RequestCell {
    /// That of a layer further out, which asks the same, unless it holds the word of an earlier try; else
    /// another one, left in the request.
    pub(crate) fn of(extensions: &mut Extensions) -> Self {
        let theirs = extensions.get::<OutcomeCell>();
        if let Some(cell) = theirs.filter(|cell| cell.get().is_none()) {
            return Self(Some(cell.clone()));
        }
        let spare = SPARE.try_with(|spare| spare.borrow_mut().pop());
        let cell = spare.ok().flatten().unwrap_or_default();
        extensions.insert(cell.clone());
        Self(Some(cell))
    }
}

impl From<OutcomeCell> for RequestCell {
    fn from(cell: OutcomeCell) -> Self {
        Self(Some(cell))
    }
}

impl Deref for RequestCell {
    type Target = OutcomeCell;

    fn deref(&self) -> &OutcomeCell {
        self.0.as_ref().expect("taken only when it is dropped")
    }
}

impl Drop for RequestCell {
    fn drop(&mut self) {
        let Some(mut cell) = self.0.take() else {
            return;
        };
        if cell.reset() {
            let _thread_ends = SPARE.try_with(|spare| {
                let mut spare = spare.borrow_mut();
                if spare.len() < MOST_SPARE {
                    // At once, so that it never grows again.
                    let room = MOST_SPARE - spare.len();
                    spare.reserve_exact(room);
                    spare.push(cell);
                }
            });
        }
    }
}

thread_local! {
    static SPARE: RefCell<Vec<OutcomeCell>> = const { RefCell::new(Vec::new()) };
}

/// Of each thread: 2 KiB with what holds them.
const MOST_SPARE: usize = 64;

#[cfg(test)]
mod tests {
    use tower_keep_store::Outcome;

    use super::*;

    #[test]
    fn a_cell_is_used_again_only_when_nobody_holds_it() {
        let mut extensions = Extensions::new();
        let first = RequestCell::of(&mut extensions);
        first.set(Outcome::Hit);
        let held = extensions.get::<OutcomeCell>().expect("left there").clone();
        extensions.clear();
        drop(first);
        assert_eq!(held.get(), Some(Outcome::Hit), "somebody still reads it");
        drop(RequestCell::from(held));
        let again = RequestCell::of(&mut extensions);
        assert_eq!(again.get(), None);
    }

    #[test]
    fn an_empty_cell_of_a_layer_further_out_is_theirs() {
        let mut extensions = Extensions::new();
        let theirs = OutcomeCell::default();
        extensions.insert(theirs.clone());
        let ours = RequestCell::of(&mut extensions);
        ours.set(Outcome::Miss);
        assert_eq!(theirs.get(), Some(Outcome::Miss));
        let second_try = RequestCell::of(&mut extensions);
        assert_eq!(second_try.get(), None);
        drop((ours, second_try));
        assert_eq!(theirs.get(), Some(Outcome::Miss));
    }
}
