//! What other programs are told: one list of metrics, and each way to tell it.

mod catalog;
#[cfg(feature = "metrics")]
pub(crate) mod facade;
#[cfg(feature = "opentelemetry")]
pub(crate) mod meter;
mod metric;
pub(crate) mod prometheus;
mod reading;
