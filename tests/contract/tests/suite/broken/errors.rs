//! The layers that change errors or suffer from panics.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use http::Response;
use tower::{Service, ServiceExt};
use tower_keep_contract::{InnerError, errors};
use tower_keep_test_support::ScriptedBody;

use super::{broken, contract};
use crate::layers::{Fault, FaultyReadiness, around, boxed};

#[tokio::test]
async fn another_error_than_the_inner_one_is_caught() {
    let contract = contract(|| {
        around(|inner, request| async move {
            let answer = inner.oneshot(request).await;
            Ok(boxed(answer.map_err(|error| {
                InnerError::Other(error.to_string().into())
            })?))
        })
    });
    let kept = errors::inner_errors_come_out(&contract).await;
    broken(
        kept,
        "errors::inner_errors_come_out",
        "expected origin error",
    );
}

#[tokio::test]
async fn an_error_turned_into_a_response_is_caught() {
    let contract = contract(|| {
        around(|inner, request| async move {
            match inner.oneshot(request).await {
                Ok(response) => Ok(boxed(response)),
                Err(_) => Ok(boxed(Response::new(ScriptedBody::full("sorry")))),
            }
        })
    });
    let kept = errors::inner_errors_come_out(&contract).await;
    broken(kept, "errors::inner_errors_come_out", "got a response");
}

#[tokio::test]
async fn an_error_of_readiness_that_is_swallowed_is_caught() {
    let contract = contract(|| FaultyReadiness::new(Fault::SwallowsErrors));
    let kept = errors::errors_of_readiness_come_out(&contract).await;
    broken(
        kept,
        "errors::errors_of_readiness_come_out",
        "got a response",
    );
}

#[tokio::test]
async fn a_lock_that_a_panic_poisons_is_caught() {
    let contract = contract(|| {
        let calls = Arc::new(Mutex::new(0));
        around(move |mut inner, request| {
            let mut calls = calls.lock().expect("nobody panicked");
            *calls += 1;
            let answer = inner.call(request);
            drop(calls);
            async { Ok(boxed(answer.await?)) }
        })
    });
    let kept = errors::panics_poison_nothing(&contract).await;
    broken(kept, "errors::panics_poison_nothing", "nobody panicked");
}

#[tokio::test]
async fn a_flag_that_a_panic_leaves_set_is_caught() {
    let contract = contract(|| {
        let busy = Arc::new(AtomicBool::new(false));
        around(move |inner, request| {
            let busy = Arc::clone(&busy);
            async move {
                while busy.swap(true, Ordering::SeqCst) {
                    tokio::task::yield_now().await;
                }
                let answer = inner.oneshot(request).await;
                busy.store(false, Ordering::SeqCst);
                Ok(boxed(answer?))
            }
        })
    });
    let kept = errors::panics_poison_nothing(&contract).await;
    broken(
        kept,
        "errors::panics_poison_nothing",
        "the response did not come",
    );
}
