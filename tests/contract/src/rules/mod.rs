//! The rules, each a function that says whether a layer keeps it.

pub mod bodies;
pub mod cancellation;
pub mod errors;
pub mod messages;
pub mod readiness;

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use http::Response;
use tower_keep_test_support::{OriginError, ScriptedBody};

use crate::{Broken, Contract, Kept, polling::pend_once, script::slow_body};

/// Runs a check under its name; a panic in it is a broken rule like any other.
pub(crate) async fn check(
    name: &'static str,
    checking: impl Future<Output = Result<(), String>>,
) -> Kept {
    let mut checking = pin!(checking);
    let caught = poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| checking.as_mut().poll(cx)));
        polled.unwrap_or_else(|panic| Poll::Ready(Err(said(panic.as_ref()))))
    });
    caught.await.map_err(|how| Broken::new(name, how))
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("it panicked: {}", text.unwrap_or("without a message"))
}

pub(crate) fn broken<const N: usize>(kept: [Kept; N]) -> Vec<Broken> {
    kept.into_iter().filter_map(Result::err).collect()
}

/// Says what must be so and is not.
pub(crate) fn ensure(condition: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(otherwise()) }
}

/// A handler that takes its time: three awaits before the response, more in its body.
pub(crate) fn slow<L, B>(
    contract: &Contract<L>,
) -> impl Fn(http::Request<B>) -> SlowAnswer + Send + Sync + 'static + use<L, B> {
    let respond = contract.responder();
    move |_| {
        let response = respond(slow_body());
        Box::pin(async move {
            for _ in 0..3 {
                pend_once().await;
            }
            Ok(response)
        })
    }
}

type SlowAnswer =
    std::pin::Pin<Box<dyn Future<Output = Result<Response<ScriptedBody>, OriginError>> + Send>>;
