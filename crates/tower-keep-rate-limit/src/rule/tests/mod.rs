//! The arithmetic beside a model of it that is too simple to be wrong.

mod bounds;
mod case;
mod clocks;
mod debts;
mod model;
mod quotas;
mod records;
mod same;
mod steady;
