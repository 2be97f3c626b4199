//! The instance that is called is the one that was readied, and readiness costs nothing for ever.

use std::{future::poll_fn, pin::Pin, task::Poll};

use tokio::task::JoinSet;
use tower::Service;
use tower_keep_test_support::ScriptedBody;

use super::{broken, check, ensure, slow};
use crate::{
    Broken, Contract, InnerError, Kept, Readiness, Wraps,
    exchange::{exchange, exchange_of, outcome},
    kind::Kind,
    polling::{poll_times, within},
    rig::{Backing, Rig},
    script::slow_body,
    transcript::transcript,
    wraps::Layered,
};

/// All rules of this module.
pub(crate) async fn all<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Vec<Broken> {
    broken([
        readied_before_called(contract).await,
        concurrent_calls_are_served(contract).await,
        readied_and_dropped_leaks_nothing(contract).await,
        readiness_is_as_declared(contract).await,
    ])
}

/// Whichever instance of the inner service is called was readied before, over a bare service, a
/// limit, a buffer and load shedding; being readied twice for one call is allowed.
///
/// A layer that calls a fresh clone takes a permit that it never acquired, or panics a service
/// that relies on the contract.
pub async fn readied_before_called<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Kept {
    check("readiness::readied_before_called", async {
        for backing in Backing::ALL {
            let result = calls_in_a_row(contract, backing).await;
            over(backing, result)?;
        }
        Ok(())
    })
    .await
}

async fn calls_in_a_row<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    backing: Backing,
) -> Result<(), String> {
    let rig = Rig::new(contract, backing, slow(contract));
    let mut service = rig.service();
    for kind in Kind::ALL {
        ready(contract, &mut service).await?;
        exchange(contract, &mut service, contract.request(kind))
            .await
            .map(drop)?;
    }
    drop(service);
    exchange(contract, &mut rig.service(), contract.request(Kind::Get))
        .await
        .map(drop)?;
    no_violation(&rig)?;
    rig.settled().await
}

/// Many calls at the same time are all answered; where load is shed, some may be refused.
pub async fn concurrent_calls_are_served<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Kept {
    check("readiness::concurrent_calls_are_served", async {
        for backing in Backing::ALL {
            let result = calls_at_once(contract, backing).await;
            over(backing, result)?;
        }
        Ok(())
    })
    .await
}

async fn calls_at_once<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    backing: Backing,
) -> Result<(), String> {
    let rig = Rig::new(contract, backing, slow(contract));
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        calls.spawn(whole_call(rig.service(), contract.request(Kind::Get)));
    }
    let outcomes = within(
        contract.patience,
        "an answer to each call",
        calls.join_all(),
    )
    .await?;
    let served = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let shed = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Err(InnerError::Overloaded)));
    let refused = if backing == Backing::Shedding {
        shed.count()
    } else {
        0
    };
    ensure(served > 0 && served + refused == outcomes.len(), || {
        format!("of 8 calls {served} were served and {refused} shed: {outcomes:?}")
    })?;
    no_violation(&rig)?;
    rig.settled().await
}

/// A service that is readied and then dropped without a call gives back what it reserved.
///
/// Load balancers and `select!` do that all the time.
pub async fn readied_and_dropped_leaks_nothing<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
) -> Kept {
    check("readiness::readied_and_dropped_leaks_nothing", async {
        for backing in [Backing::Bare, Backing::Limited, Backing::Buffered] {
            let result = ready_and_drop(contract, backing).await;
            over(backing, result)?;
        }
        Ok(())
    })
    .await
}

async fn ready_and_drop<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    backing: Backing,
) -> Result<(), String> {
    let rig = Rig::new(contract, backing, slow(contract));
    for _ in 0..3 {
        let mut service = rig.service();
        ready(contract, &mut service).await?;
        let clone = service.clone();
        drop(service);
        rig.settled().await?;
        drop(clone);
    }
    let request = contract.request(Kind::Get);
    exchange_of(contract, &mut rig.service(), request, slow_body()).await
}

/// The layered service is ready exactly when [`Contract::readiness`] says so; either way a call
/// waits while the inner service is full and is answered once it no longer is, and a refusal of
/// load shedding comes out.
pub async fn readiness_is_as_declared<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Kept {
    check("readiness::readiness_is_as_declared", async {
        full(contract).await?;
        shed(contract).await
    })
    .await
}

async fn full<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Result<(), String> {
    let rig = Rig::new(contract, Backing::Limited, slow(contract));
    let permit = rig.fill().await;
    let mut service = rig.service();
    let ready = poll_fn(|cx| Poll::Ready(service.poll_ready(cx).is_ready())).await;
    ensure(ready == (contract.readiness == Readiness::Always), || {
        format!(
            "declared {:?}, but ready is {ready} over a full service",
            contract.readiness
        )
    })?;
    let request = contract.request(Kind::Get);
    let mut call: Pin<Box<_>> = Box::pin(exchange(contract, &mut service, request));
    let early = poll_times(&mut call, 1).await;
    ensure(early.is_none(), || {
        "a call was answered by a full service".to_owned()
    })?;
    drop(permit);
    call.await?;
    drop(service);
    no_violation(&rig)?;
    rig.settled().await
}

async fn shed<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Result<(), String> {
    let rig = Rig::new(contract, Backing::Shedding, slow(contract));
    let permit = rig.fill().await;
    let request = contract.request(Kind::Get);
    let outcome = outcome(contract, &mut rig.service(), request).await?;
    ensure(matches!(outcome, Err(InnerError::Overloaded)), || {
        "load was shed, but the refusal did not come out".to_owned()
    })?;
    drop(permit);
    rig.settled().await
}

async fn ready<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    service: &mut Layered<L>,
) -> Result<(), String> {
    let ready = poll_fn(|cx| service.poll_ready(cx));
    let ready = within(contract.patience, "readiness", ready).await?;
    ready.map_err(|error| format!("readiness failed without a reason: {error:?}"))
}

/// A call on its own, down to the end of its body.
pub(super) async fn whole_call<S, B>(
    mut service: S,
    request: http::Request<ScriptedBody>,
) -> Result<(), InnerError>
where
    S: Service<http::Request<ScriptedBody>, Response = http::Response<B>, Error = InnerError>,
    B: http_body::Body<Data = bytes::Bytes, Error = tower_keep_test_support::BodyError>,
{
    poll_fn(|cx| service.poll_ready(cx)).await?;
    let response = service.call(request).await?;
    transcript(response.into_body()).await;
    Ok(())
}

fn no_violation<L: Wraps<ScriptedBody>>(rig: &Rig<'_, L>) -> Result<(), String> {
    let violations = rig.watch().violations();
    ensure(violations.is_empty(), || violations.join("; "))
}

fn over(backing: Backing, result: Result<(), String>) -> Result<(), String> {
    result.map_err(|how| format!("{backing:?}: {how}"))
}
