//! Layers for the suite's own tests: a few that keep the contract, many that break one rule each.

mod always;
mod around;
mod body;
mod readiness;
mod remembers;
mod waits_beside;

pub(crate) use self::{
    always::AlwaysReady,
    around::{Around, around, boxed},
    body::{BodyFault, FaultyBodies},
    readiness::{Fault, FaultyReadiness},
    remembers::remembers,
    waits_beside::WaitsBeside,
};
