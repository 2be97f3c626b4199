//! The way in: what the layers and the origin are to see is settled here, once.
//!
//! A cache is as safe as its view of a request is the origin's. So whatever two servers could read in two
//! ways is brought into one form or refused before a key is made of it.

mod admit;
mod fields;
mod host;
mod path;
mod refusal;
mod respond;
mod target;

pub(crate) use self::{
    admit::Admission,
    respond::{Front, respond},
};
