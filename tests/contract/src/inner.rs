use std::{
    error::Error,
    fmt,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower::{BoxError, Service, ServiceExt, load_shed::error::Overloaded, util::BoxCloneService};
use tower_keep_test_support::{OriginError, ScriptedBody};

/// The service that the layer under test is put around.
///
/// One type for a bare probe and for a probe behind a limit, a buffer or load shedding, so that a
/// layer is checked over all of them with one bound. It asks no more than a real service does: it
/// is `Clone` and `Send` but not `Sync`, its future is `Send`, its body is a [`ScriptedBody`].
#[derive(Debug)]
pub struct Inner<ReqBody>(BoxCloneService<Request<ReqBody>, Response<ScriptedBody>, InnerError>);

impl<ReqBody: 'static> Inner<ReqBody> {
    pub(crate) fn new<S>(service: S) -> Self
    where
        S: Service<Request<ReqBody>, Response = Response<ScriptedBody>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        Self(BoxCloneService::new(service.map_err(InnerError::from_any)))
    }
}

impl<ReqBody> Service<Request<ReqBody>> for Inner<ReqBody> {
    type Response = Response<ScriptedBody>;
    type Error = InnerError;
    type Future = <BoxCloneService<Request<ReqBody>, Self::Response, InnerError> as Service<
        Request<ReqBody>,
    >>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), InnerError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        self.0.call(request)
    }
}

impl<ReqBody> Clone for Inner<ReqBody> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// How an [`Inner`] fails: not `Clone`, not `Infallible`, and not convertible from anything.
#[derive(Debug)]
pub enum InnerError {
    /// The probe failed as it was told to.
    Origin(OriginError),
    /// Load was shed.
    Overloaded,
    /// Something between failed, such as a buffer whose worker has ended.
    Other(BoxError),
}

impl InnerError {
    /// The number of a scripted error, by which it is recognised.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Origin(error) => Some(error.number()),
            Self::Overloaded | Self::Other(_) => None,
        }
    }

    fn from_any(error: impl Into<BoxError>) -> Self {
        match error.into().downcast::<OriginError>() {
            Ok(error) => Self::Origin(*error),
            Err(error) if error.is::<Overloaded>() => Self::Overloaded,
            Err(error) => Self::Other(error),
        }
    }
}

impl fmt::Display for InnerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(error) => error.fmt(f),
            Self::Overloaded => f.write_str("the inner service sheds load"),
            Self::Other(error) => error.fmt(f),
        }
    }
}

impl Error for InnerError {}
