//! Fetching anew, in the background, what was answered stale.

use std::sync::Arc;

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{Fetch, Origin, Pending};
use crate::{
    engine::{
        entry::{Entry, Usability},
        flight::{Lead, Source},
    },
    http::{entry::Stored, status::Forward},
    shared::{Found, Shared, State},
};

/// What a refresh in the background needs of a fetch.
pub(crate) struct Refresh<S, ReqBody> {
    pub(super) fetch: Fetch<S, ReqBody>,
    pub(super) stale: Arc<Entry<Stored>>,
    pub(super) lead: Lead<Stored>,
}

impl<S, ReqBody, ResBody> Fetch<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Body + Send + 'static,
    ResBody: Body + Send + 'static,
    ResBody::Error: Send,
{
    /// A fetch that nobody waits for, of what was answered stale.
    pub(crate) fn refreshing(
        shared: Arc<Shared>,
        origin: Origin<S>,
        request: Pending<ReqBody>,
        stale: Arc<Entry<Stored>>,
        resource: Vec<u8>,
        lead: Lead<Stored>,
    ) -> Refresh<S, ReqBody> {
        let key = stale.key.to_vec();
        let found = Found {
            resource: (key != resource).then_some(resource),
            key,
            state: State::Absent,
        };
        Refresh {
            fetch: Self::new(shared, origin, request, found),
            stale,
            lead,
        }
    }
}

impl<S, ReqBody> Refresh<S, ReqBody> {
    /// Looks into the store first: another process may have done it.
    pub(crate) async fn in_background<ResBody>(self)
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
        S::Future: Send,
        ReqBody: Body + Send + 'static,
        ResBody: Body + Send + 'static,
        ResBody::Error: Send,
    {
        let Self {
            mut fetch,
            stale,
            lead,
        } = self;
        let engine = fetch.shared.engine.clone();
        if let Some((entry, Usability::Fresh)) = engine.second(&stale.key).await {
            lead.land(entry, Source::Store);
            return;
        }
        stale.refresh_failed(engine.now());
        // Its body, dropped, is read to the end; then the new entry takes the stale one's place.
        // The request has its outcome already.
        fetch.request.cell = None;
        drop(fetch.ask_origin(Some(lead), Forward::Stale).await);
    }
}
