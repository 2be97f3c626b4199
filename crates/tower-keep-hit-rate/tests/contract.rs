//! Tower's contract, over all that a layer may be put around.

use http::{HeaderName, HeaderValue, header::CACHE_CONTROL};
use tower_keep_contract::{Contract, Readiness};
use tower_keep_hit_rate::HitRateLayer;
use tower_keep_store::Store;

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds() {
    let contract =
        Contract::new(|| HitRateLayer::pair(Store::memory()).0).readiness(Readiness::PassedThrough);
    contract.run().await;
    contract.run_on_stacks().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_with_every_option() {
    let layer = || {
        let builder = HitRateLayer::builder(Store::memory()).allow_key_names();
        let builder = builder.label(|head| Some(head.uri.path().to_owned().into()));
        builder.build().expect("makes sense").0
    };
    let contract = Contract::new(layer)
        .readiness(Readiness::PassedThrough)
        .response_field(CACHE_CONTROL, HeaderValue::from_static("max-age=60"))
        .response_field(
            HeaderName::from_static("content-language"),
            HeaderValue::from_static("en"),
        );
    contract.run().await;
    contract.run_on_stacks().await;
}
