use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower::{Layer, Service};
use tower_keep_test_support::{BodyError, ScriptedBody};

use crate::{Inner, InnerError};

/// What the types of a layer promise; implemented by every layer that keeps the promise.
///
/// - The layer is `Clone`.
/// - Around a service that is `Clone + Send`, what it produces is `Clone + Send`. `Sync` is not
///   asked of the inner service.
/// - Its future is `Send`, and so is the body of its response.
/// - Its error is the inner service's error, its body's error is the inner body's error; neither
///   is `Clone` nor `Infallible`.
/// - It takes bodies that are neither `Sync` nor `Default`.
///
/// A layer that does not keep it fails to compile in [`Contract::new`](crate::Contract::new):
///
/// ```
/// # use tower::layer::util::Identity;
/// tower_keep_contract::Contract::new(Identity::new);
/// ```
pub trait Wraps<ReqBody>: Clone {
    /// The response's body.
    type Body: Body<Data = Bytes, Error = BodyError> + Send + 'static;

    /// The layered service.
    type Service: Service<
            Request<ReqBody>,
            Response = Response<Self::Body>,
            Error = InnerError,
            Future: Send + 'static,
        > + Clone
        + Send
        + 'static;

    /// Puts the layer around a service.
    fn wrap(&self, inner: Inner<ReqBody>) -> Self::Service;
}

impl<L, ReqBody, ResBody> Wraps<ReqBody> for L
where
    L: Layer<Inner<ReqBody>> + Clone,
    L::Service: Service<
            Request<ReqBody>,
            Response = Response<ResBody>,
            Error = InnerError,
            Future: Send + 'static,
        > + Clone
        + Send
        + 'static,
    ResBody: Body<Data = Bytes, Error = BodyError> + Send + 'static,
{
    type Body = ResBody;
    type Service = L::Service;

    fn wrap(&self, inner: Inner<ReqBody>) -> L::Service {
        self.layer(inner)
    }
}

/// The layered service of `L` around a probe.
pub(crate) type Layered<L> = <L as Wraps<ScriptedBody>>::Service;

/// The response of that service.
pub(crate) type Answer<L> = Response<<L as Wraps<ScriptedBody>>::Body>;
