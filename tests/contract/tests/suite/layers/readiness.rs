use std::{
    any::Any,
    mem,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use http::Request;
use tower::{Layer, Service};

/// What a [`FaultyReadiness`] does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Readies one instance and calls another.
    CallsAClone,
    /// Says that it is ready without asking.
    NeverAsks,
    /// Keeps readied instances that were dropped.
    Hoards,
    /// Takes an error of readiness for readiness.
    SwallowsErrors,
}

/// A layer that mishandles readiness.
#[derive(Clone)]
pub(crate) struct FaultyReadiness {
    fault: Fault,
    hoard: Hoard,
}

type Hoard = Arc<Mutex<Vec<Box<dyn Any + Send>>>>;

impl FaultyReadiness {
    pub(crate) fn new(fault: Fault) -> Self {
        Self {
            fault,
            hoard: Arc::default(),
        }
    }
}

impl<S: Clone + Send + 'static> Layer<S> for FaultyReadiness {
    type Service = Faulty<S>;

    fn layer(&self, inner: S) -> Faulty<S> {
        Faulty {
            inner,
            layer: self.clone(),
        }
    }
}

#[derive(Clone)]
pub(crate) struct Faulty<S: Clone + Send + 'static> {
    inner: S,
    layer: FaultyReadiness,
}

impl<S, ReqBody> Service<Request<ReqBody>> for Faulty<S>
where
    S: Service<Request<ReqBody>> + Clone + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        match self.layer.fault {
            Fault::NeverAsks => Poll::Ready(Ok(())),
            Fault::SwallowsErrors => self.inner.poll_ready(cx).map(|_| Ok(())),
            Fault::CallsAClone | Fault::Hoards => self.inner.poll_ready(cx),
        }
    }

    fn call(&mut self, request: Request<ReqBody>) -> S::Future {
        match self.layer.fault {
            Fault::CallsAClone => self.inner.clone().call(request),
            _ => self.inner.call(request),
        }
    }
}

impl<S: Clone + Send + 'static> Drop for Faulty<S> {
    fn drop(&mut self) {
        if self.layer.fault == Fault::Hoards {
            let clone = self.inner.clone();
            let inner = mem::replace(&mut self.inner, clone);
            self.layer.hoard.lock().unwrap().push(Box::new(inner));
        }
    }
}
