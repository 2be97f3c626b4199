//! The layers that are caught only or also in real servers.

use tower_keep_contract::stacks;

use super::{broken, contract};
use crate::layers::{BodyFault, FaultyBodies};

#[tokio::test]
async fn a_layer_that_drops_trailers_is_caught_in_every_stack() {
    let contract = contract(|| FaultyBodies(BodyFault::DropsTrailers));
    broken(
        stacks::on_axum(&contract).await,
        "stacks::on_axum",
        "trailers",
    );
    broken(
        stacks::on_hyper(&contract).await,
        "stacks::on_hyper",
        "trailers",
    );
    broken(
        stacks::on_tonic(&contract).await,
        "stacks::on_tonic",
        "grpc-status",
    );
}

#[tokio::test]
async fn a_layer_that_collects_is_caught_in_every_stack() {
    let contract = contract(|| FaultyBodies(BodyFault::Collects));
    broken(
        stacks::on_axum(&contract).await,
        "stacks::on_axum",
        "a stream: first",
    );
    broken(
        stacks::on_hyper(&contract).await,
        "stacks::on_hyper",
        "a stream: first",
    );
    broken(
        stacks::on_tonic(&contract).await,
        "stacks::on_tonic",
        "a stream: first",
    );
}

#[tokio::test]
async fn a_layer_that_hides_errors_is_caught_in_http_stacks() {
    let contract = contract(|| FaultyBodies(BodyFault::SwallowsErrors));
    broken(
        stacks::on_axum(&contract).await,
        "stacks::on_axum",
        "it ended well",
    );
    broken(
        stacks::on_hyper(&contract).await,
        "stacks::on_hyper",
        "it ended well",
    );
}
