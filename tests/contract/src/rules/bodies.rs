//! Bodies pass through as they come, when they come.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tower_keep_test_support::{Gate, ScriptedBody};

use super::{broken, check, ensure};
use crate::{
    Broken, Contract, Kept, Wraps,
    exchange::{answer, exchange},
    kind::Kind,
    polling::within,
    rig::{Backing, Rig},
    script::{EMPTY, SCRIPTS, Script},
    transcript::{Transcript, difference, transcript},
};

/// All rules of this module.
pub(crate) async fn all<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Vec<Broken> {
    broken([
        response_bodies_pass_unchanged(contract).await,
        request_bodies_pass_unchanged(contract).await,
        responses_stream(contract).await,
        requests_stream(contract).await,
    ])
}

/// Frames, their boundaries, trailers, size hints, the end-of-stream flag and errors of a response
/// reach the client as the inner service gave them.
pub async fn response_bodies_pass_unchanged<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
) -> Kept {
    check("bodies::response_bodies_pass_unchanged", async {
        for kind in Kind::ALL {
            for script in scripts_for(kind) {
                let result = response_passes(contract, kind, *script).await;
                let result = result.map_err(|how| format!("{kind:?} with {}: {how}", script.name));
                result?;
            }
        }
        Ok(())
    })
    .await
}

async fn response_passes<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    kind: Kind,
    script: Script,
) -> Result<(), String> {
    let respond = contract.responder();
    let rig = Rig::new(contract, Backing::Bare, move |_| {
        let response = respond((script.body)());
        async { Ok(response) }
    });
    let expected = transcript((script.body)()).await;
    let seen = exchange(contract, &mut rig.service(), contract.request(kind)).await?;
    same(&expected, &seen)?;
    rig.settled().await
}

/// The same for the body of a request on its way to the inner service.
pub async fn request_bodies_pass_unchanged<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Kept {
    check("bodies::request_bodies_pass_unchanged", async {
        for kind in Kind::WITH_BODY {
            for script in SCRIPTS {
                let result = request_passes(contract, kind, *script).await;
                let result = result.map_err(|how| format!("{kind:?} with {}: {how}", script.name));
                result?;
            }
        }
        Ok(())
    })
    .await
}

async fn request_passes<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    kind: Kind,
    script: Script,
) -> Result<(), String> {
    let read: Arc<Mutex<Option<Transcript>>> = Arc::default();
    let (reads, respond) = (Arc::clone(&read), contract.responder());
    let rig = Rig::new(contract, Backing::Bare, move |request| {
        let (reads, response) = (Arc::clone(&reads), respond(ScriptedBody::full("read")));
        async move {
            let seen = transcript(request.into_body()).await;
            *reads.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
            Ok(response)
        }
    });
    let request = contract.request(kind).map(|_| (script.body)());
    exchange(contract, &mut rig.service(), request).await?;
    let expected = transcript((script.body)()).await;
    let seen = read.lock().unwrap_or_else(PoisonError::into_inner).take();
    same(&expected, &seen.ok_or("the inner service was not called")?)
}

/// The client has the head of a response before its first frame is made, and each frame before
/// the next is made: nothing is buffered in front of it.
pub async fn responses_stream<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Kept {
    check("bodies::responses_stream", async {
        for kind in [Kind::Get, Kind::Post, Kind::Grpc] {
            let result = response_streams(contract, kind).await;
            let result = result.map_err(|how| format!("{kind:?}: {how}"));
            result?;
        }
        Ok(())
    })
    .await
}

async fn response_streams<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    kind: Kind,
) -> Result<(), String> {
    let gate = Gate::closed();
    let (held, respond) = (gate.clone(), contract.responder());
    let rig = Rig::new(contract, Backing::Bare, move |_| {
        let response = respond(gated_body(&held));
        async { Ok(response) }
    });
    let response = answer(contract, &mut rig.service(), contract.request(kind)).await;
    let response = response.map_err(|how| format!("no frame was made yet: {how}"))?;
    let mut body = pin!(response.into_body());
    for frame in FRAMES {
        gate.let_through(1);
        let what = format!("frame {frame:?}, before the next is made,");
        let seen = within(contract.patience, &what, body.frame()).await?;
        let data = seen
            .and_then(Result::ok)
            .and_then(|frame| frame.into_data().ok());
        ensure(data.as_deref() == Some(frame.as_bytes()), || {
            format!("expected frame {frame:?}, got {data:?}")
        })?;
    }
    Ok(())
}

/// The inner service has the head of a request before its body is made, and each frame before the
/// next is made.
pub async fn requests_stream<L: Wraps<ScriptedBody>>(contract: &Contract<L>) -> Kept {
    check("bodies::requests_stream", async {
        for kind in Kind::WITH_BODY {
            let result = request_streams(contract, kind).await;
            let result = result.map_err(|how| format!("{kind:?}: {how}"));
            result?;
        }
        Ok(())
    })
    .await
}

async fn request_streams<L: Wraps<ScriptedBody>>(
    contract: &Contract<L>,
    kind: Kind,
) -> Result<(), String> {
    let gate = Gate::closed();
    let (sees, mut seen) = mpsc::unbounded_channel();
    let respond = contract.responder();
    let rig = Rig::new(contract, Backing::Bare, move |request| {
        let (sees, response) = (sees.clone(), respond(ScriptedBody::full("read")));
        async move {
            let mut body = request.into_body();
            let _ = sees.send(());
            while body.frame().await.is_some() {
                let _ = sees.send(());
            }
            Ok(response)
        }
    });
    let request = contract.request(kind).map(|_| gated_body(&gate));
    let mut service = rig.service();
    let call = exchange(contract, &mut service, request);
    let reader = async {
        within(contract.patience, "the head of the request", seen.recv()).await?;
        for frame in FRAMES {
            gate.let_through(1);
            let what = format!("frame {frame:?} of the request, before the next is made,");
            within(contract.patience, &what, seen.recv()).await?;
        }
        Ok(())
    };
    let (call, read) = tokio::join!(call, reader);
    read.and(call.map(drop))
}

fn gated_body(gate: &Gate) -> ScriptedBody {
    let body = FRAMES
        .into_iter()
        .fold(ScriptedBody::empty(), |body, frame| {
            body.gate(gate).data(frame)
        });
    body.unknown_length()
}

fn scripts_for(kind: Kind) -> &'static [Script] {
    match kind {
        Kind::Head => &[EMPTY],
        _ => SCRIPTS,
    }
}

fn same(expected: &Transcript, seen: &Transcript) -> Result<(), String> {
    difference(expected, seen).map_or(Ok(()), Err)
}

const FRAMES: [&str; 3] = ["first", "second", "third"];
