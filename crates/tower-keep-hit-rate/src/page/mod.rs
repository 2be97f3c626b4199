//! The page that people look at, and the same figures for programs.
//!
//! Nothing runs while nobody looks. Who watches has a stream that wakes once a second; the first of them
//! whose second has come makes the frame, and the others take the same bytes.

mod body;
mod document;
mod events;
mod frames;
mod reply;
mod service;
mod told;

pub use self::{body::PageBody, service::Page};
