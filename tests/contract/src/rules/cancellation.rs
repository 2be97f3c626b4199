//! A client that leaves, at whatever moment, leaves nothing behind and spoils nothing.

use std::{pin::pin, time::Duration};

use http::Request;
use http_body_util::BodyExt;
use tokio::time::timeout;
use tower_keep_test_support::ScriptedBody;

use super::{broken, check, readiness::whole_call, slow};
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
    check("cancellation::dropped_at_every_await", async {
        for backing in [Backing::Bare, Backing::Limited, Backing::Buffered] {
            for kind in [Kind::Get, Kind::Post] {
                let result = drop_calls(contract, backing, kind).await;
                let result = result.map_err(|how| format!("{kind:?} over {backing:?}, {how}"));
                result?;
            }
        }
        Ok(())
    })
    .await
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
    check("cancellation::dropped_after_every_frame", async {
        for frames in 0..=3 {
            let result = drop_body(contract, frames).await;
            let result = result.map_err(|how| format!("dropped after {frames} frames: {how}"));
            result?;
        }
        Ok(())
    })
    .await
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

/// A call that waits for a full inner service can be dropped, before its permit comes or just
/// after: it takes none with it.
pub async fn dropped_while_waiting<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Kept {
    check(
        "cancellation::dropped_while_waiting",
        drop_waiting(contract),
    )
    .await
}

async fn drop_waiting<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Result<(), String> {
    let rig = Rig::new(contract, Backing::Limited, slow(contract));
    for polls in 1..4 {
        for permit_comes_first in [true, false] {
            let permit = rig.fill().await;
            let request = contract.request(Kind::Get);
            let uri = request.uri().to_string();
            let mut call = Box::pin(whole_call(rig.service(), request));
            let polled = poll_times(&mut call, polls);
            // A layer that waits for nothing but the inner service is not polled a second time.
            let _ = timeout(contract.patience.min(A_MOMENT), polled).await;
            if permit_comes_first {
                drop(permit);
                let_others_run().await;
                drop(call);
            } else {
                drop(call);
                let_others_run().await;
                drop(permit);
            }
            recovers(contract, &rig, Kind::Get, &uri).await?;
        }
    }
    Ok(())
}

/// Calls for the same URI as one that is dropped, begun while it ran, are answered whole: whoever
/// shares the fetch of another must not lose it with that other's client.
pub async fn dropped_beside_others<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Kept {
    check(
        "cancellation::dropped_beside_others",
        drop_leaders(contract),
    )
    .await
}

async fn drop_leaders<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Result<(), String> {
    for polls in 1..MOST_POLLS {
        let result = drop_leader(contract, polls).await;
        let result = result.map_err(|how| format!("the first dropped after {polls} polls: {how}"));
        if matches!(result?, Leader::Finished) {
            break;
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
    let mut others = Box::pin(async {
        tokio::join!(
            exchange_of(contract, &mut one, get(contract, &uri), slow_body()),
            exchange_of(contract, &mut other, get(contract, &uri), slow_body()),
        )
    });
    let begun = poll_times(&mut others, 1).await;
    drop(leader);
    let (one, other) = match begun {
        Some(answered) => answered,
        None => others.await,
    };
    one.and(other)?;
    rig.settled().await?;
    Ok(if finished {
        Leader::Finished
    } else {
        Leader::Dropped
    })
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
const A_MOMENT: Duration = Duration::from_millis(20);
