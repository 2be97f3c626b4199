use std::{future::Future, sync::Arc};

use http::{Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{buffer::Buffer, limit::ConcurrencyLimit, load_shed::LoadShed};
use tower_keep_test_support::{Origin, OriginError, ScriptedBody, holds_within};

use crate::{
    Contract, Inner, Wraps,
    probe::{Probe, Watch},
    wraps::Layered,
};

/// What stands between the layer and the probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backing {
    Bare,
    /// `ConcurrencyLimit(1)`: readiness is a permit.
    Limited,
    /// `Buffer(1)`: readiness is a place in a queue.
    Buffered,
    /// `LoadShed` over `ConcurrencyLimit(1)`: always ready, refuses when it was not readied.
    Shedding,
}

impl Backing {
    pub(crate) const ALL: [Self; 4] = [Self::Bare, Self::Limited, Self::Buffered, Self::Shedding];
}

/// The layer under test around a probe, and the test's own view of what is behind it.
pub(crate) struct Rig<'a, L: Wraps<ScriptedBody>> {
    contract: &'a Contract<L>,
    service: Layered<L>,
    origin: Origin<ScriptedBody>,
    watch: Watch,
    permits: Arc<Semaphore>,
}

impl<'a, L: Wraps<ScriptedBody>> Rig<'a, L> {
    pub(crate) fn new<H, F>(contract: &'a Contract<L>, backing: Backing, handler: H) -> Self
    where
        H: Fn(Request<ScriptedBody>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Response<ScriptedBody>, OriginError>> + Send + 'static,
    {
        let origin = Origin::new(handler);
        let probe = Probe::new(origin.clone());
        let watch = probe.watch();
        let permits = Arc::new(Semaphore::new(1));
        let service = contract.layer().wrap(inner(backing, probe, &permits));
        Self {
            contract,
            service,
            origin,
            watch,
            permits,
        }
    }

    /// A clone of the layered service that was never readied.
    pub(crate) fn service(&self) -> Layered<L> {
        self.service.clone()
    }

    pub(crate) fn origin(&self) -> &Origin<ScriptedBody> {
        &self.origin
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Takes the only permit away: a limited inner service is full until it is dropped.
    pub(crate) async fn fill(&self) -> OwnedSemaphorePermit {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        permit.expect("the semaphore is never closed")
    }

    /// Waits until nothing is reserved or under way any more; says what is, if that never comes.
    ///
    /// A layer may finish in the background what a client gave up, hence the wait.
    pub(crate) async fn settled(&self) -> Result<(), String> {
        if holds_within(self.contract.patience, || async { self.is_settled() }).await {
            return Ok(());
        }
        Err(format!(
            "something was leaked: {} calls or bodies in flight, {} instances readied, {} of 1 \
             permits free",
            self.origin.in_flight(),
            self.watch.reserved(),
            self.permits.available_permits(),
        ))
    }

    fn is_settled(&self) -> bool {
        self.origin.in_flight() == 0
            && self.watch.reserved() == 0
            && self.permits.available_permits() == 1
    }
}

fn inner(
    backing: Backing,
    probe: Probe<ScriptedBody>,
    permits: &Arc<Semaphore>,
) -> Inner<ScriptedBody> {
    let limited = |probe| ConcurrencyLimit::with_semaphore(probe, Arc::clone(permits));
    match backing {
        Backing::Bare => Inner::new(probe),
        Backing::Limited => Inner::new(limited(probe)),
        Backing::Buffered => Inner::new(Buffer::new(probe, 1)),
        Backing::Shedding => Inner::new(LoadShed::new(limited(probe))),
    }
}
