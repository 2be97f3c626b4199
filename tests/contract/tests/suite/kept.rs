//! Layers that keep the contract pass it, whole.

use http::{HeaderValue, header};
use tower::layer::util::Identity;
use tower_keep_contract::{Contract, Readiness};

use crate::layers::{AlwaysReady, around, boxed, remembers};

#[tokio::test]
async fn no_layer_at_all_passes() {
    Contract::new(Identity::new).run().await;
}

#[tokio::test]
async fn no_layer_at_all_passes_on_stacks() {
    Contract::new(Identity::new).run_on_stacks().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_suite_can_run_on_several_threads() {
    Contract::new(Identity::new).run().await;
}

#[tokio::test]
async fn a_layer_that_is_always_ready_passes_if_it_says_so() {
    let contract = Contract::new(|| AlwaysReady).readiness(Readiness::Always);
    contract.run().await;
    contract.run_on_stacks().await;
}

#[tokio::test]
async fn a_layer_that_adds_a_field_passes_if_it_says_so() {
    let layer = || {
        around(|inner, mut request| async move {
            let value = HeaderValue::from_static("added");
            request.headers_mut().insert(header::VIA, value.clone());
            let mut response = boxed(tower::ServiceExt::oneshot(inner, request).await?);
            response.headers_mut().insert(header::VIA, value);
            Ok(response)
        })
    };
    let contract = Contract::new(layer).adds_to_requests(header::VIA);
    contract.adds_to_responses(header::VIA).run().await;
}

#[tokio::test]
async fn a_layer_that_works_in_the_background_passes() {
    let layer = || {
        around(|inner, request| async move {
            let call = tokio::spawn(tower::ServiceExt::oneshot(inner, request));
            match call.await {
                Ok(answer) => Ok(boxed(answer?)),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        })
    };
    Contract::new(layer).run().await;
}

#[tokio::test]
async fn fields_can_be_given_to_all_messages() {
    let contract = Contract::new(Identity::new)
        .request_field(header::COOKIE, HeaderValue::from_static("id=1"))
        .response_field(
            header::CACHE_CONTROL,
            HeaderValue::from_static("max-age=60"),
        );
    contract.run().await;
}

#[tokio::test]
async fn a_layer_that_answers_from_memory_passes() {
    Contract::new(remembers).run().await;
}

#[tokio::test]
async fn a_memory_that_all_checks_share_passes_too() {
    let layer = remembers();
    Contract::new(move || layer.clone()).run().await;
}
