//! The model: perceptrons whose weights come from the seed.
//!
//! Nobody trained them, so what they say about a candidate means nothing; what
//! they cost is what scoring costs. A service would load weights from a file
//! here, and nothing else would change.

mod dense;
mod network;
mod profile;

pub(crate) use self::{
    network::Network,
    profile::{PROFILE, Profile},
};
