use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use http::{Request, Response};
use tower::Service;
use tower_keep_test_support::{
    InFlight, InFlightGuard, Origin, OriginError, OriginFuture, ScriptedBody,
};

/// The innermost service: an [`Origin`] that also watches over Tower's contract of readiness.
///
/// Each clone must be readied before it is called, and being readied is not handed on by `clone`.
/// A probe that is ready counts as reserved until it is called or dropped, as a permit would.
#[derive(Debug)]
pub(crate) struct Probe<ReqBody> {
    origin: Origin<ReqBody>,
    ready: Option<InFlightGuard>,
    watch: Watch,
}

impl<ReqBody> Probe<ReqBody> {
    pub(crate) fn new(origin: Origin<ReqBody>) -> Self {
        Self {
            origin,
            ready: None,
            watch: Watch::default(),
        }
    }

    pub(crate) fn watch(&self) -> Watch {
        self.watch.clone()
    }
}

impl<ReqBody> Service<Request<ReqBody>> for Probe<ReqBody> {
    type Response = Response<ScriptedBody>;
    type Error = OriginError;
    type Future = OriginFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OriginError>> {
        if let Some(number) = self.watch.take_failure() {
            return Poll::Ready(Err(OriginError::numbered(number)));
        }
        if self.ready.is_none() {
            self.ready = Some(self.watch.reserved.enter());
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> OriginFuture {
        if self.ready.take().is_none() {
            self.watch.violated(&request);
        }
        self.origin.call(request)
    }
}

impl<ReqBody> Clone for Probe<ReqBody> {
    fn clone(&self) -> Self {
        Self {
            origin: self.origin.clone(),
            ready: None,
            watch: self.watch.clone(),
        }
    }
}

/// What all clones of one probe have seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    reserved: InFlight,
    violations: Arc<Mutex<Vec<String>>>,
    failure: Arc<AtomicU64>,
}

impl Watch {
    /// How many clones are ready and not yet called.
    pub(crate) fn reserved(&self) -> usize {
        self.reserved.count()
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.list().clone()
    }

    /// Makes the next `poll_ready` fail, once. Zero is no number.
    pub(crate) fn fail_readiness(&self, number: u64) {
        self.failure.store(number, Ordering::SeqCst);
    }

    fn take_failure(&self) -> Option<u64> {
        Some(self.failure.swap(0, Ordering::SeqCst)).filter(|number| *number != 0)
    }

    fn violated<B>(&self, request: &Request<B>) {
        let (method, uri) = (request.method(), request.uri());
        let where_to = match self.reserved() {
            0 => "no instance was ready",
            _ => "another clone was ready",
        };
        let violation = format!("{method} {uri} called an instance not readied; {where_to}");
        self.list().push(violation);
    }

    fn list(&self) -> MutexGuard<'_, Vec<String>> {
        self.violations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
