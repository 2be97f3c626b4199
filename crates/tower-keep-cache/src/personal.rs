//! Whether a response is for one client alone, as those find out who look at a session.

use http::Extensions;
use tower_keep_store::{Identity, PersonalCell};

use crate::http::entry::SharedWith;

/// The marks of one fetch. They may be set until its body has ended, and are asked for again then.
#[derive(Clone, Debug)]
pub(crate) struct Personal {
    asked: PersonalCell,
    answered: Option<PersonalCell>,
}

impl Personal {
    /// Leaves a cell in a request on its way in, unless a layer further out has.
    pub(crate) fn watch(request: &mut Extensions) -> Self {
        let cell = request.get_or_insert_default::<PersonalCell>();
        Self {
            asked: cell.clone(),
            answered: None,
        }
    }

    /// Heeds the cell of a response too: a layer further in may have put its own in the place of ours.
    pub(crate) fn heed(&mut self, response: &Extensions) {
        self.answered = response.get().cloned();
    }

    pub(crate) fn is_marked(&self) -> bool {
        let answered = self.answered.as_ref();
        self.asked.is_marked() || answered.is_some_and(PersonalCell::is_marked)
    }

    /// Whether it is for nobody else. One whose handler was only told who asks is for all where it says so.
    pub(crate) fn refuses(&self, shared_with: SharedWith) -> bool {
        let answered = self.answered.as_ref();
        let is_identified =
            self.asked.is_identified() || answered.is_some_and(PersonalCell::is_identified);
        self.is_marked() || is_identified && !shared_with.users
    }
}

/// Whether somebody further out has looked at this client's session already. What it is answered with may
/// depend on that, and nobody can tell.
pub(crate) fn is_looked_at(request: &Extensions) -> bool {
    request.get().is_some_and(PersonalCell::is_marked)
}

/// Whether somebody further out tells the handler which user this is, if not more.
pub(crate) fn is_user(request: &Extensions) -> bool {
    request.get().is_some_and(PersonalCell::is_identified)
}

/// Whether layers further out know who asks.
pub(crate) fn is_known(request: &Extensions) -> bool {
    request.get::<Identity>().is_some() || is_user(request)
}
