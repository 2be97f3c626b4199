//! Fetching anew, in the background, what was answered stale, or is about to be.

use std::sync::Arc;

use http::{
    HeaderName, Request, Response,
    header::{CACHE_CONTROL, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, PRAGMA, RANGE},
};
use http_body::Body;
use tokio::time::timeout;
use tower_service::Service;

use super::{Fetch, Origin, Pending, contending::InBackground};
use crate::{
    engine::{
        background::Task,
        entry::Entry,
        flight::{Lead, Source},
        lease::Seen,
    },
    http::{demands::Demands, entry::Stored, status::Forward},
    shared::{Found, Shared, State},
};

/// A fetch that nobody waits for, with a request that has been answered.
pub(crate) struct Refresh<S, ReqBody> {
    pub(super) fetch: Fetch<S, ReqBody>,
    pub(super) entry: Arc<Entry<Stored>>,
    pub(super) lead: Lead<Stored>,
    /// The entry has just come from the store, and was this there.
    pub(super) seen: Option<Seen>,
}

impl<S, ReqBody, ResBody> Refresh<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Body + Send + 'static,
    ResBody: Body + Send + 'static,
    ResBody::Error: Send,
{
    pub(crate) fn new(
        shared: Arc<Shared>,
        origin: Origin<S>,
        request: Pending<ReqBody>,
        entry: Arc<Entry<Stored>>,
        resource: Vec<u8>,
        lead: Lead<Stored>,
    ) -> Self {
        let key = entry.key.to_vec();
        let found = Found {
            resource: (key != resource).then_some(resource),
            key,
            state: State::Absent,
        };
        Self {
            fetch: Fetch::new(shared, origin, request, found),
            entry,
            lead,
            seen: None,
        }
    }

    /// Begins, unless too many are under way; ends within the patience that others would have with it.
    /// True if it begins.
    pub(crate) fn begin(mut self) -> bool {
        let shared = self.fetch.shared.clone();
        let Some(permit) = shared.engine.refresh_permit() else {
            return false;
        };
        let patience = shared.patience;
        self.make_own_request();
        self.fetch.known = Some(self.entry.clone());
        // An error never takes the place of what still answers.
        self.fetch.fallback = Some(self.entry.clone());
        self.fetch.is_unattended = true;
        let background = shared.engine.background.clone();
        background.spawn(Task::Refresh, async move {
            let _permit = permit;
            let _refreshed_or_not = timeout(patience, self.run()).await;
        })
    }

    /// What the client asked of its own answer is not asked of everybody's. "A proxy … MUST pass
    /// cache directives through in forwarded messages" (RFC 9111 §5.2); this is none: the client has been answered. With
    /// its `only-if-cached` or `no-store` it would steer a cache in front of the origin for all.
    fn make_own_request(&mut self) {
        let request = &mut self.fetch.request;
        for name in &OF_ITS_OWN_ANSWER {
            request.head.headers.remove(name);
        }
        request.lookup.no_store = false;
        request.lookup.only_if_cached = false;
        request.lookup.ranged = false;
        request.lookup.demands = Demands::default();
        // It has its outcome already.
        request.cell = None;
    }

    /// Looks into the store first: another process may have done it.
    async fn run(mut self) {
        let engine = self.fetch.shared.engine.clone();
        let mut seen = self.seen.take();
        for _ in 0..MOST_LOOKS {
            let asked = engine.log().moment();
            let seen = match seen.take() {
                Some(seen) => seen,
                None => match engine.replacement(&self.entry).await {
                    (Some(entry), _) => return self.lead.land(entry, Source::Store(asked)),
                    (None, seen) => seen,
                },
            };
            engine.pause(&self.entry, engine.now());
            match self.fetch.contend_in_background(&mut self.lead, seen).await {
                InBackground::Fetch => break,
                InBackground::Look => {}
                InBackground::Leave => return,
            }
        }
        let lead = self.lead;
        // The body, dropped, is read to its end; then the new entry takes the stale one's place.
        drop(self.fetch.ask_origin(Some(lead), Forward::Stale).await);
    }
}

/// Fields in which a client asks something of the answer that it gets itself.
static OF_ITS_OWN_ANSWER: [HeaderName; 6] = [
    CACHE_CONTROL,
    PRAGMA,
    IF_NONE_MATCH,
    IF_MODIFIED_SINCE,
    RANGE,
    IF_RANGE,
];

/// How often a refresh looks what another has stored before it fetches all the same.
const MOST_LOOKS: usize = 4;
