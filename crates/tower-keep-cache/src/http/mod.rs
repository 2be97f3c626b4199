//! What HTTP says: pure functions over fields and instants. No I/O, no clock.

pub(crate) mod answer;
mod codec;
pub(crate) mod codes;
pub(crate) mod control;
pub(crate) mod entry;
pub(crate) mod freshening;
pub(crate) mod freshness;
pub(crate) mod groups;
pub(crate) mod key;
pub(crate) mod labels;
mod range;
pub(crate) mod request;
pub(crate) mod said;
pub(crate) mod status;
pub(crate) mod storing;
pub(crate) mod validation;
pub(crate) mod vary;
