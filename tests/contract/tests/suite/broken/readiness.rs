//! The layers that mishandle readiness.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tower::{ServiceExt, layer::util::Identity};
use tower_keep_contract::{Readiness, readiness};

use super::{broken, contract};
use crate::layers::{AlwaysReady, Fault, FaultyReadiness, around, boxed};

#[tokio::test]
async fn calling_another_clone_than_the_readied_one_is_caught() {
    let contract = contract(|| FaultyReadiness::new(Fault::CallsAClone));
    let kept = readiness::readied_before_called(&contract).await;
    broken(
        kept,
        "readiness::readied_before_called",
        "another clone was ready",
    );
}

#[tokio::test]
async fn calling_without_asking_for_readiness_is_caught() {
    let contract = contract(|| FaultyReadiness::new(Fault::NeverAsks));
    let kept = readiness::readied_before_called(&contract).await;
    broken(
        kept,
        "readiness::readied_before_called",
        "no instance was ready",
    );
}

#[tokio::test]
async fn a_layer_that_serves_one_call_at_a_time_and_forgets_the_rest_is_caught() {
    let contract = contract(|| {
        let busy = Arc::new(Semaphore::new(1));
        around(move |inner, request| {
            let free = Arc::clone(&busy).try_acquire_owned();
            async move {
                let Ok(_turn) = free else {
                    return std::future::pending().await;
                };
                Ok(boxed(inner.oneshot(request).await?))
            }
        })
    });
    let kept = readiness::concurrent_calls_are_served(&contract).await;
    broken(
        kept,
        "readiness::concurrent_calls_are_served",
        "an answer to each call",
    );
}

#[tokio::test]
async fn keeping_what_was_readied_is_caught() {
    let contract = contract(|| FaultyReadiness::new(Fault::Hoards));
    let kept = readiness::readied_and_dropped_leaks_nothing(&contract).await;
    broken(
        kept,
        "readiness::readied_and_dropped_leaks_nothing",
        "1 instances readied",
    );
}

#[tokio::test]
async fn readiness_other_than_declared_is_caught_both_ways() {
    let always = contract(|| AlwaysReady);
    let kept = readiness::readiness_is_as_declared(&always).await;
    broken(kept, "readiness::readiness_is_as_declared", "ready is true");
    let passing = contract(Identity::new).readiness(Readiness::Always);
    let kept = readiness::readiness_is_as_declared(&passing).await;
    broken(
        kept,
        "readiness::readiness_is_as_declared",
        "ready is false",
    );
}
