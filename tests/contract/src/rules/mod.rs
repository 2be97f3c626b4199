//! The rules, each a function that says whether a layer keeps it.

pub mod bodies;
pub mod cancellation;
pub mod errors;
pub mod messages;
pub mod readiness;

use http::Response;
use tower_keep_test_support::{OriginError, ScriptedBody};

use crate::{Broken, Contract, Kept, polling::pend_once, script::slow_body};

/// Puts the name of the check to what it found.
pub(crate) trait Named {
    fn named(self, check: &'static str) -> Kept;
}

impl Named for Result<(), String> {
    fn named(self, check: &'static str) -> Kept {
        self.map_err(|how| Broken::new(check, how))
    }
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
