//! The layers that cannot do without their client.

use std::sync::{Arc, Mutex};

use http::Response;
use tokio::sync::{Semaphore, oneshot, watch};
use tower::{Service, ServiceExt};
use tower_keep_contract::{Inner, Readiness, cancellation};
use tower_keep_test_support::ScriptedBody;

use super::{broken, contract};
use crate::layers::{BodyFault, FaultyBodies, WaitsBeside, around, boxed};

#[tokio::test]
async fn a_turn_that_only_a_finished_call_gives_back_is_caught() {
    let contract = contract(|| {
        let turns = Arc::new(Semaphore::new(1));
        around(move |inner, request| {
            let turns = Arc::clone(&turns);
            async move {
                turns.acquire().await.unwrap().forget();
                let answer = inner.oneshot(request).await;
                turns.add_permits(1);
                Ok(boxed(answer?))
            }
        })
    });
    let kept = cancellation::dropped_at_every_await(&contract).await;
    broken(
        kept,
        "cancellation::dropped_at_every_await",
        "the response did not come",
    );
}

#[tokio::test]
async fn a_body_that_is_kept_after_its_client_left_is_caught() {
    let contract = contract(|| FaultyBodies(BodyFault::Leaks));
    let kept = cancellation::dropped_after_every_frame(&contract).await;
    broken(
        kept,
        "cancellation::dropped_after_every_frame",
        "1 calls or bodies in flight",
    );
}

/// Reads on in the background and stores a body as whole that its client left half-way.
#[tokio::test]
async fn half_a_body_given_as_a_whole_is_caught() {
    let contract = contract(|| {
        let stored: Arc<Mutex<Option<String>>> = Arc::default();
        around(move |inner, request| {
            let stored = Arc::clone(&stored);
            async move {
                let uri = request.uri().to_string();
                if stored.lock().unwrap().as_ref() == Some(&uri) {
                    return Ok(boxed(Response::new(ScriptedBody::full("one"))));
                }
                let response = inner.oneshot(request).await?;
                *stored.lock().unwrap() = Some(uri);
                Ok(boxed(response))
            }
        })
    });
    let kept = cancellation::dropped_after_every_frame(&contract).await;
    broken(
        kept,
        "cancellation::dropped_after_every_frame",
        "the body was b\"one\"",
    );
}

#[tokio::test]
async fn a_permit_that_arrives_after_the_client_left_and_is_kept_is_caught() {
    let contract = contract(|| {
        let late: Arc<Mutex<Vec<Inner<ScriptedBody>>>> = Arc::default();
        around(move |inner, request| {
            // The readied instance goes back, another is readied beside the call.
            let (mut clone, late) = (inner.clone(), Arc::clone(&late));
            drop(inner);
            async move {
                let (sends, ready) = oneshot::channel();
                tokio::spawn(async move {
                    let _ = clone.ready().await;
                    if let Err(clone) = sends.send(clone) {
                        late.lock().unwrap().push(clone);
                    }
                });
                let mut ready = ready.await.unwrap();
                Ok(boxed(ready.call(request).await?))
            }
        })
    });
    let kept = cancellation::dropped_at_every_await(&contract).await;
    broken(
        kept,
        "cancellation::dropped_at_every_await",
        "something was leaked",
    );
}

#[tokio::test]
async fn a_waiter_that_keeps_its_place_after_its_client_left_is_caught() {
    let contract = contract(|| WaitsBeside).readiness(Readiness::Always);
    let kept = cancellation::dropped_while_waiting(&contract).await;
    broken(
        kept,
        "cancellation::dropped_while_waiting",
        "something was leaked",
    );
}

/// Followers wait for a word that only a leader that was not dropped gives.
#[tokio::test]
async fn followers_that_hang_when_their_leader_is_dropped_are_caught() {
    let contract = contract(|| {
        let flight: Arc<Mutex<Option<Arc<watch::Sender<bool>>>>> = Arc::default();
        around(move |inner, request| {
            let flight = Arc::clone(&flight);
            async move {
                let (leads, done) = {
                    let mut flight = flight.lock().unwrap();
                    let leads = flight.is_none();
                    let done = flight.get_or_insert_with(|| Arc::new(watch::Sender::new(false)));
                    (leads, Arc::clone(done))
                };
                if !leads {
                    let _ = done.subscribe().wait_for(|done| *done).await;
                }
                let answer = inner.oneshot(request).await;
                flight.lock().unwrap().take();
                done.send_replace(true);
                Ok(boxed(answer?))
            }
        })
    });
    let kept = cancellation::dropped_beside_others(&contract).await;
    broken(
        kept,
        "cancellation::dropped_beside_others",
        "the response did not come",
    );
}
