//! Layers that keep the contract pass it.

use tower::layer::util::Identity;
use tower_keep_contract::Contract;

#[tokio::test]
async fn no_layer_at_all_passes() {
    let contract = Contract::new(Identity::new);
    contract.run().await;
}

#[tokio::test]
async fn no_layer_at_all_passes_on_stacks() {
    let contract = Contract::new(Identity::new);
    contract.run_on_stacks().await;
}
