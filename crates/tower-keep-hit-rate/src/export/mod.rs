//! What other programs are told: one list of metrics, and each way to tell it.

mod catalog;
mod metric;
pub(crate) mod prometheus;
mod reading;
