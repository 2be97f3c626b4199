//! The service to mount.

use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use http::{Method, Request, Response, request::Parts};
use tower_service::Service;

use super::{body::PageBody, frames::Frames, reply, told::Told};
use crate::handle::HitRateHandle;

/// The live page, and the same figures for programs: a service that can be mounted anywhere, and is seen
/// nowhere until it is.
///
/// | path | what it answers to GET and HEAD |
/// |---|---|
/// | `/` | the page: one file, without any other origin |
/// | `/events` | a snapshot each second, as server-sent events; at most 64 watch, further ones get 503 |
/// | `/snapshot` | a [`Snapshot`](crate::Snapshot) of this moment, and the thresholds, as JSON |
/// | `/metrics` | [Prometheus' text](HitRateHandle::prometheus) |
///
/// Mount it where the caches, limits and sessions of the application do not see it, and outside of the
/// [`HitRateLayer`](crate::HitRateLayer), so that watching does not count. It shows names of routes and
/// figures, and with [`allow_key_names`](crate::HitRateLayerBuilder::allow_key_names) what people ask for:
/// who may see it is said with [`allow`](Self::allow), or by a layer around it. This holds for the metrics too.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_keep_hit_rate::HitRateLayer;
/// use tower_keep_store::Store;
///
/// let (layer, hit_rate) = HitRateLayer::pair(Store::memory());
/// let page = hit_rate.page().allow(|head| head.headers.contains_key("x-from-the-office"));
/// let app: Router = Router::new()
///     .route("/jobs", get(|| async { "[]" }))
///     .layer(layer)
///     .nest_service("/keep", page.clone())
///     .route_service("/metrics", page);
/// ```
///
/// Where the administrators of the application may see it, the sessions do stand around it, and tell it who asks:
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_keep_hit_rate::HitRateLayer;
/// use tower_keep_session::{IdentifyLayer, SessionLayer};
/// use tower_keep_store::{Identity, Store};
///
/// let store = Store::memory();
/// let sessions = SessionLayer::new(store.clone());
/// let (layer, hit_rate) = HitRateLayer::pair(store);
/// let page = hit_rate.page().allow(|head| {
///     head.extensions.get::<Identity>().is_some_and(|user| user.as_str() == "admin")
/// });
/// let keep = Router::new().nest_service("/keep", page).layer(IdentifyLayer::new());
/// let app: Router = Router::new()
///     .route("/jobs", get(|| async { "[]" }))
///     .layer(layer)
///     .merge(keep)
///     .layer(sessions);
/// ```
///
/// Clones share the frames and the 64 places. Always ready; answers at once.
#[derive(Clone)]
pub struct Page {
    frames: Arc<Frames>,
    allow: Option<Arc<Allow>>,
    prefix: Arc<str>,
}

type Allow = dyn Fn(&Parts) -> bool + Send + Sync;

impl Page {
    pub(crate) fn new(handle: HitRateHandle) -> Self {
        Self {
            frames: Arc::new(Frames::new(handle)),
            allow: None,
            prefix: "".into(),
        }
    }

    /// Asked first, whatever the path and the method; what it denies is answered 403. A stream is asked about when
    /// it begins: whoever is logged out watches on until it ends. Default: whoever gets here may look.
    #[must_use]
    pub fn allow(mut self, allow: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.allow = Some(Arc::new(allow));
        self
    }

    /// The beginning of the path under which it is mounted, like `/keep`, for servers that pass the whole
    /// path. Default: none. axum's `nest_service` takes it off, and needs no word here; `route_service` does not:
    /// for `/internal/metrics` alone the prefix is `/internal`.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.trim_end_matches('/').into();
        self
    }

    /// Ends the streams of those who watch, within a second, and lets nobody watch any more: a server that
    /// stops gracefully waits for what is under way, and streams would be for ever.
    pub fn close(&self) {
        self.frames.close();
    }

    fn answer(&self, head: &Parts) -> Response<PageBody> {
        if self.allow.as_ref().is_some_and(|allow| !allow(head)) {
            return reply::forbidden();
        }
        let path = head.uri.path();
        let Some(place) = Place::at(path.strip_prefix(&*self.prefix).unwrap_or(path)) else {
            return reply::not_found();
        };
        if head.method == Method::GET || head.method == Method::HEAD {
            self.show(place, &head.method)
        } else {
            reply::other_method()
        }
    }

    fn show(&self, place: Place, method: &Method) -> Response<PageBody> {
        match place {
            Place::Document => reply::document(),
            Place::Snapshot => reply::json(Told::json(self.frames.handle())),
            Place::Metrics => reply::metrics(self.frames.handle().prometheus()),
            Place::Events if method == Method::HEAD => reply::events(None),
            Place::Events => match self.frames.seat() {
                Some(seat) => reply::events(Some(seat)),
                None => reply::full(),
            },
        }
    }
}

impl<B> Service<Request<B>> for Page {
    type Response = Response<PageBody>;
    type Error = Infallible;
    type Future = Ready<Result<Response<PageBody>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, _) = request.into_parts();
        ready(Ok(reply::for_method(self.answer(&head), &head.method)))
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// What can be asked for.
#[derive(Clone, Copy, Debug)]
enum Place {
    Document,
    Events,
    Snapshot,
    Metrics,
}

impl Place {
    fn at(path: &str) -> Option<Self> {
        match path {
            "" | "/" => Some(Self::Document),
            "/events" => Some(Self::Events),
            "/snapshot" => Some(Self::Snapshot),
            "/metrics" => Some(Self::Metrics),
            _ => None,
        }
    }
}
