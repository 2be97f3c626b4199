//! What fails inside comes out as it is, and does no harm to what comes after.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tower_keep_test_support::{OriginError, ScriptedBody};

use super::{broken, check, ensure, readiness::whole_call, slow};
use crate::{
    Broken, Contract, InnerError, Kept, Wraps,
    exchange::{exchange_of, outcome},
    kind::Kind,
    polling::{pend_once, within},
    rig::{Backing, Rig},
    script::slow_body,
};

/// All rules of this module.
pub(crate) async fn all<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Vec<Broken> {
    broken([
        inner_errors_come_out(contract).await,
        errors_of_readiness_come_out(contract).await,
        panics_poison_nothing(contract).await,
    ])
}

/// An error of the inner service is the error of the layered one: the very same value.
pub async fn inner_errors_come_out<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Kept {
    check("errors::inner_errors_come_out", async {
        for backing in Backing::ALL {
            for kind in Kind::ALL {
                let result = error_comes_out(contract, backing, kind).await;
                let result = result.map_err(|how| format!("{kind:?} over {backing:?}: {how}"));
                result?;
            }
        }
        Ok(())
    })
    .await
}

async fn error_comes_out<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    backing: Backing,
    kind: Kind,
) -> Result<(), String> {
    let rig = Rig::new(contract, backing, |_| async {
        pend_once().await;
        Err(OriginError::numbered(NUMBER))
    });
    let outcome = outcome(contract, &mut rig.service(), contract.request(kind)).await?;
    is_numbered(outcome.map(drop))?;
    rig.settled().await
}

/// An error of the inner `poll_ready` comes out too, from `poll_ready` or, where the layer is
/// always ready, from the call; another clone goes on.
pub async fn errors_of_readiness_come_out<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Kept {
    check("errors::errors_of_readiness_come_out", async {
        for backing in [Backing::Bare, Backing::Limited] {
            let result = readiness_fails(contract, backing).await;
            let result = result.map_err(|how| format!("{backing:?}: {how}"));
            result?;
        }
        Ok(())
    })
    .await
}

async fn readiness_fails<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    backing: Backing,
) -> Result<(), String> {
    let rig = Rig::new(contract, backing, slow(contract));
    rig.watch().fail_readiness(NUMBER);
    let request = contract.request(Kind::Get);
    let uri = request.uri().to_string();
    is_numbered(
        outcome(contract, &mut rig.service(), request)
            .await?
            .map(drop),
    )?;
    ensure(rig.origin().calls() == 0, || {
        "a service was called that was never ready".to_owned()
    })?;
    let again = contract.request_for(Kind::Get, &uri);
    exchange_of(contract, &mut rig.service(), again, slow_body()).await?;
    rig.settled().await
}

/// A panic in the inner `call`, in its future or in its body ends that call and no other: no lock
/// is poisoned, no permit lost, nobody waits for an answer that will never come.
pub async fn panics_poison_nothing<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Kept {
    check("errors::panics_poison_nothing", async {
        for place in [Place::Call, Place::Future, Place::Body] {
            for backing in [Backing::Bare, Backing::Limited] {
                let result = panic_once(contract, backing, place).await;
                let result = result.map_err(|how| format!("{place:?} over {backing:?}: {how}"));
                result?;
            }
        }
        Ok(())
    })
    .await
}

async fn panic_once<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    backing: Backing,
    place: Place,
) -> Result<(), String> {
    let armed = Arc::new(AtomicBool::new(true));
    let (arms, respond) = (Arc::clone(&armed), contract.responder());
    let rig = Rig::new(contract, backing, move |_| {
        let place = arms.swap(false, Ordering::SeqCst).then_some(place);
        assert!(place != Some(Place::Call), "scripted panic of a call");
        let body = if place == Some(Place::Body) {
            panicking_body()
        } else {
            slow_body()
        };
        let response = respond(body);
        async move {
            pend_once().await;
            assert!(
                place != Some(Place::Future),
                "scripted panic of a response future"
            );
            Ok(response)
        }
    });
    let request = contract.request(Kind::Get);
    let uri = request.uri().to_string();
    // Its own task, as every server gives to a connection: there the panic ends.
    let call = tokio::spawn(whole_call(rig.service(), request));
    let _ = within(contract.patience, "the end of the call that panicked", call).await?;
    ensure(!armed.load(Ordering::SeqCst), || {
        "the inner service was not called".to_owned()
    })?;
    for request in [
        contract.request_for(Kind::Get, &uri),
        contract.request(Kind::Get),
    ] {
        let uri = request.uri().to_string();
        let later = exchange_of(contract, &mut rig.service(), request, slow_body()).await;
        later.map_err(|how| format!("a later call for {uri}: {how}"))?;
    }
    rig.settled().await
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Call,
    Future,
    Body,
}

fn panicking_body() -> ScriptedBody {
    ScriptedBody::full("one")
        .pend_once()
        .panic()
        .unknown_length()
}

fn is_numbered(outcome: Result<(), InnerError>) -> Result<(), String> {
    match outcome {
        Err(error) if error.number() == Some(NUMBER) => Ok(()),
        Err(error) => Err(format!("expected origin error {NUMBER}, got {error:?}")),
        Ok(()) => Err(format!("expected origin error {NUMBER}, got a response")),
    }
}

const NUMBER: u64 = 4711;
