//! What is said of the origin's responses, by path: their class, their tags, and whether they are cached.

mod pattern;
mod service;
mod table;
mod told;

pub(crate) use self::{service::Routes, table::RouteTable};
