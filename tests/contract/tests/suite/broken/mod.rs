//! For each rule a layer that breaks it, and the check that catches it.

mod bodies;
mod cancellation;
mod errors;
mod messages;
mod readiness;
mod stacks;

use std::time::Duration;

use tower_keep_contract::{Contract, Kept, Wraps};
use tower_keep_test_support::ScriptedBody;

use crate::layers::{BodyFault, Fault, FaultyBodies, FaultyReadiness};

/// Short, since a layer that hangs is waited for.
fn contract<L: Wraps<ScriptedBody>>(make: impl Fn() -> L + 'static) -> Contract<L> {
    Contract::new(make).patience(Duration::from_millis(500))
}

#[track_caller]
fn broken(kept: Kept, check: &str, how: &str) {
    let broken = kept.expect_err("the layer breaks the rule");
    assert_eq!(broken.check(), check);
    assert!(broken.how().contains(how), "{broken} does not say {how:?}");
}

#[tokio::test]
#[should_panic(expected = "bodies::response_bodies_pass_unchanged: ")]
async fn a_broken_rule_is_named_in_the_panic() {
    contract(|| FaultyBodies(BodyFault::DropsTrailers))
        .run()
        .await;
}

#[tokio::test]
async fn all_broken_rules_are_listed() {
    let contract = contract(|| FaultyReadiness::new(Fault::NeverAsks));
    let broken = contract.broken().await;
    assert!(broken.len() > 1, "{broken:?}");
}
