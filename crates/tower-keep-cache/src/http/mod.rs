//! What HTTP says: pure functions over fields and instants. No I/O, no clock.

pub(crate) mod answer;
mod codec;
pub(crate) mod codes;
pub(crate) mod control;
pub(crate) mod demands;
pub(crate) mod entry;
pub(crate) mod freshening;
pub(crate) mod freshness;
#[cfg(test)]
mod fuzz;
pub(crate) mod groups;
pub(crate) mod head;
pub(crate) mod key;
pub(crate) mod labels;
mod lifetime;
mod multipart;
pub(crate) mod place;
pub(crate) mod range;
pub(crate) mod refusal;
pub(crate) mod reporter;
pub(crate) mod request;
pub(crate) mod said;
pub(crate) mod status;
mod storable;
pub(crate) mod storing;
mod surrogate;
pub(crate) mod targeted;
pub(crate) mod validation;
pub(crate) mod vary;
pub(crate) mod withheld;
