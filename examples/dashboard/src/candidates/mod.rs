//! Candidates: one, a list, and the change of a status.

mod candidate;
mod change;
mod list;
mod show;
mod status;

pub(crate) use self::{candidate::Candidate, change::change, list::list, show::show};
