//! Jobs for a candidate, chosen by the model.

mod matcher;
mod pool;
mod show;

pub(crate) use self::{matcher::Matcher, show::show};
