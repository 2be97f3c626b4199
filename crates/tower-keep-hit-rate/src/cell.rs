//! The cell that travels with a request, used again after it.

use std::ops::Deref;

use http::Extensions;
use tower_keep_store::OutcomeCell;

/// The cell of a request: one that is used again and again, or that of somebody else.
#[derive(Debug, Default)]
pub(crate) struct RequestCell {
    own: OutcomeCell,
    theirs: Option<OutcomeCell>,
}

impl RequestCell {
    /// Takes that of a layer further out, which asks the same, unless it holds the word of an earlier try; else
    /// leaves its own in the request.
    #[inline]
    pub(crate) fn travel(&mut self, extensions: &mut Extensions) {
        let theirs = extensions.get::<OutcomeCell>();
        match theirs.filter(|cell| cell.get().is_none()) {
            Some(cell) => self.theirs = Some(cell.clone()),
            None => {
                extensions.insert(self.own.clone());
            }
        }
    }

    /// Believes another one.
    pub(crate) fn believe(&mut self, theirs: OutcomeCell) {
        self.theirs = Some(theirs);
    }

    /// Empties it for another request. Whoever still holds the one that it was keeps what that says.
    #[inline]
    pub(crate) fn reset(&mut self) {
        self.theirs = None;
        if !self.own.reset() {
            self.own = OutcomeCell::default();
        }
    }
}

impl Deref for RequestCell {
    type Target = OutcomeCell;

    #[inline]
    fn deref(&self) -> &OutcomeCell {
        self.theirs.as_ref().unwrap_or(&self.own)
    }
}

#[cfg(test)]
mod tests {
    use tower_keep_store::Outcome;

    use super::*;

    #[test]
    fn a_cell_is_used_again_only_when_nobody_holds_it() {
        let mut extensions = Extensions::new();
        let mut cell = RequestCell::default();
        cell.travel(&mut extensions);
        cell.set(Outcome::Hit);
        let held = extensions.remove::<OutcomeCell>().expect("left there");
        cell.reset();
        assert_eq!(held.get(), Some(Outcome::Hit), "somebody still reads it");
        assert_eq!(cell.get(), None);
    }

    #[test]
    fn an_empty_cell_of_a_layer_further_out_is_theirs() {
        let mut extensions = Extensions::new();
        let theirs = OutcomeCell::default();
        extensions.insert(theirs.clone());
        let (mut ours, mut second_try) = (RequestCell::default(), RequestCell::default());
        ours.travel(&mut extensions);
        ours.set(Outcome::Miss);
        assert_eq!(theirs.get(), Some(Outcome::Miss));
        second_try.travel(&mut extensions);
        assert_eq!(second_try.get(), None);
        ours.reset();
        second_try.reset();
        assert_eq!(theirs.get(), Some(Outcome::Miss));
    }
}
