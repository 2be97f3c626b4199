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
/// A layer that does not keep it is no argument of [`Contract::new`](crate::Contract::new). A
/// box that forgets `Clone` is none, one that keeps it is:
///
/// ```compile_fail
/// use tower::{layer::util::Identity, util::BoxLayer};
/// tower_keep_contract::Contract::new(|| BoxLayer::new(Identity::new()));
/// ```
/// ```
/// use tower::{layer::util::Identity, util::BoxCloneServiceLayer};
/// tower_keep_contract::Contract::new(|| BoxCloneServiceLayer::new(Identity::new()));
/// ```
///
/// Another error than the inner one:
///
/// ```compile_fail
/// tower_keep_contract::Contract::new(tower::load_shed::LoadShedLayer::new);
/// ```
///
/// A body that must be `Sync`, where `Send` is enough:
///
/// ```compile_fail
/// # use http_body_util::BodyExt;
/// use tower::util::MapResponseLayer;
/// type Response = http::Response<tower_keep_test_support::ScriptedBody>;
/// tower_keep_contract::Contract::new(|| {
///     MapResponseLayer::new(|response: Response| response.map(|body| body.boxed()))
/// });
/// ```
/// ```
/// # use http_body_util::BodyExt;
/// use tower::util::MapResponseLayer;
/// type Response = http::Response<tower_keep_test_support::ScriptedBody>;
/// tower_keep_contract::Contract::new(|| {
///     MapResponseLayer::new(|response: Response| response.map(|body| body.boxed_unsync()))
/// });
/// ```
///
/// A future that is not `Send`:
///
/// ```compile_fail
/// # use tower::util::AndThenLayer;
/// type Response = http::Response<tower_keep_test_support::ScriptedBody>;
/// tower_keep_contract::Contract::new(|| {
///     AndThenLayer::new(|response: Response| async {
///         let held = std::rc::Rc::new(1);
///         tokio::task::yield_now().await;
///         drop(held);
///         Ok::<_, tower_keep_contract::InnerError>(response)
///     })
/// });
/// ```
/// ```
/// # use tower::util::AndThenLayer;
/// type Response = http::Response<tower_keep_test_support::ScriptedBody>;
/// tower_keep_contract::Contract::new(|| {
///     AndThenLayer::new(|response: Response| async {
///         let held = std::sync::Arc::new(1);
///         tokio::task::yield_now().await;
///         drop(held);
///         Ok::<_, tower_keep_contract::InnerError>(response)
///     })
/// });
/// ```
///
/// A layer that wants its inner service `Sync`, or its body with a `Default`:
///
/// ```compile_fail
/// #[derive(Clone)]
/// struct WantsSync;
/// impl<S: Sync> tower::Layer<S> for WantsSync {
///     type Service = S;
///     fn layer(&self, inner: S) -> S {
///         inner
///     }
/// }
/// tower_keep_contract::Contract::new(|| WantsSync);
/// ```
/// ```compile_fail
/// use tower::util::MapResponseLayer;
/// fn emptied<B: Default>(response: http::Response<B>) -> http::Response<B> {
///     response.map(|_| B::default())
/// }
/// tower_keep_contract::Contract::new(|| {
///     MapResponseLayer::new(emptied::<tower_keep_test_support::ScriptedBody>)
/// });
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
