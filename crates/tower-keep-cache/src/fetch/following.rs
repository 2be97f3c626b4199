//! The way of a request that waits for what another fetches.

use std::sync::Arc;

use http::{Request, Response};
use http_body::Body;
use tower_keep_store::{Moment, Outcome};
use tower_service::Service;

use super::{Fetch, Way, timed};
use crate::{
    engine::{
        entry::{Entry, Usability},
        flight::{Ending, Follow, Source},
    },
    http::{entry::Stored, request::Lookup},
    service::admits,
    shared::Shared,
};

impl<S, ReqBody, ResBody> Fetch<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Body + Send + 'static,
    ResBody: Body + Send + 'static,
    ResBody::Error: Send,
{
    /// Nothing means: look again.
    pub(super) async fn follow(&mut self, follow: Follow<Stored>) -> Option<Way> {
        let wanted = Wanted {
            shared: &self.shared,
            key: &self.found.key,
            lookup: &self.request.lookup,
            asked: self.asked,
        };
        let will_do = |entry: &Entry<Stored>| wanted.is_had_with(entry).is_some();
        let stale = self.fallback.as_ref();
        let ending = match timed::wait(&self.shared, stale, follow, will_do).await {
            Ok(ending) => ending,
            Err(stale) => return Some(Way::Answer(stale, Outcome::Stale)),
        };
        match ending {
            Ending::Landed(entry, source) if wanted.is(&entry, source) => {
                Some(Way::Answer(entry, source.outcome()))
            }
            Ending::Landed(entry, _) => {
                if wanted.is_refused(&entry) {
                    // It need not wait again for who only looks into the store.
                    self.known = Some(entry);
                }
                None
            }
            Ending::Meanwhile(entry) => {
                let outcome = wanted.is_had_with(&entry)?;
                Some(Way::Answer(entry, outcome))
            }
            Ending::Released | Ending::OutOfPatience => Some(self.alone()),
            Ending::TimedOut => Some(self.in_vain()),
            Ending::Abandoned => None,
        }
    }

    /// What this request may be answered with its leader may not have been content with.
    fn in_vain(&self) -> Way {
        let engine = &self.shared.engine;
        match &self.fallback {
            Some(stale) if stale.may_bridge(engine.log(), engine.now()) => {
                Way::Answer(stale.clone(), Outcome::Stale)
            }
            _ => Way::TimedOut,
        }
    }
}

/// What a request waits for.
struct Wanted<'a> {
    shared: &'a Arc<Shared>,
    key: &'a [u8],
    lookup: &'a Lookup,
    asked: Moment,
}

impl Wanted<'_> {
    fn is(&self, entry: &Entry<Stored>, source: Source) -> bool {
        self.is_of_this(entry)
            && source.may_answer(entry, self.shared.engine.log(), self.asked)
            && self.is_good_enough(entry, source)
    }

    fn is_of_this(&self, entry: &Entry<Stored>) -> bool {
        entry.key[..] == *self.key && admits(entry, self.lookup)
    }

    /// What the origin has just said is the best that there is; what was stored may be less than is demanded.
    fn is_good_enough(&self, entry: &Entry<Stored>, source: Source) -> bool {
        let by_any = match source {
            Source::Origin(_) => return true,
            Source::Store(_) => Usability::Fresh,
            // Whoever asked himself would be answered with it too.
            Source::Unreached if self.would_ask() && self.shared.may_bridge(entry) => return true,
            Source::Stale | Source::Unreached => Usability::Stale,
        };
        self.judge(entry, by_any) == by_any
    }

    fn would_ask(&self) -> bool {
        !self.lookup.only_if_cached
    }

    /// Whether it could answer others.
    fn is_refused(&self, entry: &Entry<Stored>) -> bool {
        let engine = &self.shared.engine;
        self.is_of_this(entry) && entry.usability(engine.log(), engine.now()) <= Usability::Stale
    }

    /// As what, if as anything, this answers that the leader has left: it is judged as if it had been found now.
    fn is_had_with(&self, entry: &Entry<Stored>) -> Option<Outcome> {
        let engine = &self.shared.engine;
        let by_any = entry.usability(engine.log(), engine.now());
        match self.judge(entry, by_any) {
            _ if !self.is_of_this(entry) => None,
            Usability::Fresh => Some(Outcome::Hit),
            Usability::Stale => Some(Outcome::Stale),
            Usability::OnError | Usability::Expired | Usability::Not => None,
        }
    }

    fn judge(&self, entry: &Entry<Stored>, by_any: Usability) -> Usability {
        let (demands, now) = (&self.lookup.demands, self.shared.engine.now());
        self.shared.judge(entry, by_any, demands, now)
    }
}
