//! A client that leaves, at whatever moment, leaves nothing behind and spoils nothing.

use std::{future::poll_fn, pin::pin, task::Poll};

use http::Request;
use http_body_util::BodyExt;
use tower_keep_test_support::ScriptedBody;

use super::{Named, broken, ensure, readiness::whole_call, slow};
use crate::{
    Broken, Contract, Kept, Wraps,
    exchange::{answer, exchange_of},
    kind::Kind,
    polling::{let_others_run, poll_times, within},
    rig::{Backing, Rig},
    script::slow_body,
};

/// All rules of this module.
pub(crate) async fn all<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Vec<Broken> {
    broken([
        dropped_at_every_await(contract).await,
        dropped_after_every_frame(contract).await,
        dropped_while_waiting(contract).await,
        dropped_beside_others(contract).await,
    ])
}

/// For every n: a call polled n times, in readiness, response and body, and then dropped gives
/// back all permits and leaves no call in flight; the same and another URI are answered after it,
/// whole.
pub async fn dropped_at_every_await<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Kept {
    for backing in [Backing::Bare, Backing::Limited, Backing::Buffered] {
        for kind in [Kind::Get, Kind::Post] {
            let result = drop_calls(contract, backing, kind).await;
            let result = result.map_err(|how| format!("{kind:?} over {backing:?}, {how}"));
            result.named("cancellation::dropped_at_every_await")?;
        }
    }
    Ok(())
}

async fn drop_calls<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    backing: Backing,
    kind: Kind,
) -> Result<(), String> {
    let rig = Rig::new(contract, backing, slow(contract));
    for polls in 0..MOST_POLLS {
        let request = contract.request(kind);
        let uri = request.uri().to_string();
        let mut call = Box::pin(whole_call(rig.service(), request));
        let polled = poll_times(&mut call, polls);
        let finished = within(contract.patience, "the next poll", polled)
            .await?
            .is_some();
        drop(call);
        let result = recovers(contract, &rig, kind, &uri).await;
        result.map_err(|how| format!("dropped after {polls} polls: {how}"))?;
        if finished {
            return Ok(());
        }
    }
    Err(format!("a call was not finished after {MOST_POLLS} polls"))
}

/// For every k: a response whose body is dropped after k frames leaves nothing in flight; the
/// same and another URI are answered after it, whole.
pub async fn dropped_after_every_frame<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Kept {
    for frames in 0..=3 {
        let result = drop_body(contract, frames).await;
        let result = result.map_err(|how| format!("dropped after {frames} frames: {how}"));
        result.named("cancellation::dropped_after_every_frame")?;
    }
    Ok(())
}

async fn drop_body<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    frames: usize,
) -> Result<(), String> {
    let rig = Rig::new(contract, Backing::Limited, slow(contract));
    let request = contract.request(Kind::Get);
    let uri = request.uri().to_string();
    let response = answer(contract, &mut rig.service(), request).await?;
    {
        let mut body = pin!(response.into_body());
        for _ in 0..frames {
            within(contract.patience, "a frame", body.frame()).await?;
        }
    }
    recovers(contract, &rig, Kind::Get, &uri).await
}

/// A call that waits for a full inner service can be dropped: it takes no permit with it.
pub async fn dropped_while_waiting<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Kept {
    drop_waiting(contract)
        .await
        .named("cancellation::dropped_while_waiting")
}

async fn drop_waiting<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Result<(), String> {
    let rig = Rig::new(contract, Backing::Limited, slow(contract));
    for polls in 1..4 {
        let permit = rig.fill().await;
        let request = contract.request(Kind::Get);
        let uri = request.uri().to_string();
        let mut call = Box::pin(whole_call(rig.service(), request));
        let polled = poll_times(&mut call, polls);
        // A layer that waits for nothing but the inner service is not polled a second time.
        let _ = tokio::time::timeout(contract.patience.min(A_MOMENT), polled).await;
        drop(permit);
        let_others_run().await;
        drop(call);
        recovers(contract, &rig, Kind::Get, &uri).await?;
    }
    Ok(())
}

/// Calls for the same URI as one that is dropped, begun while it ran, are answered whole: whoever
/// shares the fetch of another must not lose it with that other's client.
pub async fn dropped_beside_others<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Kept {
    for polls in 1..MOST_POLLS {
        match drop_leader(contract, polls).await {
            Ok(Leader::Finished) => break,
            Ok(Leader::Dropped) => {}
            Err(how) => {
                let how = format!("the first of three was dropped after {polls} polls: {how}");
                return Err(how).named("cancellation::dropped_beside_others");
            }
        }
    }
    Ok(())
}

async fn drop_leader<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    polls: usize,
) -> Result<Leader, String> {
    let rig = Rig::new(contract, Backing::Bare, slow(contract));
    let request = contract.request(Kind::Get);
    let uri = request.uri().to_string();
    let mut leader = Box::pin(whole_call(rig.service(), request));
    let polled = poll_times(&mut leader, polls);
    let finished = within(contract.patience, "the next poll", polled)
        .await?
        .is_some();
    let (mut one, mut other) = (rig.service(), rig.service());
    let mut others = pin!(async {
        tokio::join!(
            exchange_of(contract, &mut one, get(contract, &uri), slow_body()),
            exchange_of(contract, &mut other, get(contract, &uri), slow_body()),
        )
    });
    start(others.as_mut()).await?;
    drop(leader);
    let (one, other) = others.await;
    one.and(other)?;
    rig.settled().await?;
    Ok(if finished {
        Leader::Finished
    } else {
        Leader::Dropped
    })
}

/// Polls once, so that the calls have begun.
async fn start<F>(mut future: std::pin::Pin<&mut F>) -> Result<(), String>
where
    F: Future<Output = (Result<(), String>, Result<(), String>)>,
{
    let done = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await;
    ensure(!done, || "a slow origin answered at once".to_owned())
}

enum Leader {
    Finished,
    Dropped,
}

async fn recovers<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    rig: &Rig<'_, L>,
    kind: Kind,
    uri: &str,
) -> Result<(), String> {
    rig.settled().await?;
    for request in [contract.request_for(kind, uri), contract.request(kind)] {
        let uri = request.uri().to_string();
        let fresh = exchange_of(contract, &mut rig.service(), request, slow_body()).await;
        fresh.map_err(|how| format!("a call for {uri} after it: {how}"))?;
    }
    rig.settled().await
}

fn get<L>(contract: &Contract<L>, uri: &str) -> Request<ScriptedBody> {
    contract.request_for(Kind::Get, uri)
}

/// More awaits than any exchange of the suite has.
const MOST_POLLS: usize = 256;

/// Long enough for a layer's own steps, before it waits for the inner service.
const A_MOMENT: std::time::Duration = std::time::Duration::from_millis(20);
