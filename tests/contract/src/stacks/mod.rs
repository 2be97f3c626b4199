//! The layer in real servers, over real sockets.

mod axum;
mod client;
mod grpc;
mod hyper;
mod site;
mod tonic;

pub use self::{
    axum::{OnAxum, on_axum},
    grpc::Text,
    hyper::on_hyper,
    tonic::{OnTonic, Serving, on_tonic},
};

use ::hyper::body::Incoming;
use tower_keep_test_support::ScriptedBody;

use crate::Wraps;

/// A layer that can be used with axum, hyper and tonic as it is.
pub trait OnStacks: Wraps<ScriptedBody> + Wraps<Incoming> + OnAxum + OnTonic + 'static {}

impl<L> OnStacks for L where L: Wraps<ScriptedBody> + Wraps<Incoming> + OnAxum + OnTonic + 'static {}
