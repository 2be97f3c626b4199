//! The catalog of jobs.

mod facets;
mod filter;
mod list;

pub(crate) use self::list::list;
