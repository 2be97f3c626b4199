//! Answers to POST that are answers to GET too (RFC 9110 §9.3.3).
//!
//! "Responses to POST requests are only cacheable when they include explicit freshness information … and a
//! Content-Location header field that has the same value as the POST's target URI. A cached POST response can be
//! reused to satisfy a later GET or HEAD request. In contrast, a POST request cannot be satisfied by a cached POST
//! response because POST is potentially unsafe."
//!
//! The POST invalidates its URI as any does. Its answer takes the place of what was stored if nobody else
//! invalidated anything that it depends on since the POST began: it stands in the log where the POST's own record
//! does.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Method, StatusCode, header::CONTENT_LOCATION, request::Parts, response};
use tower_keep_store::{Stamp, Target, Timestamp, Verdict};
use url::Url;

use crate::{
    fill::{Fill, FilledBy},
    http::{
        freshness::{Times, stated_lifetime},
        key::authority,
        request::{Lookup, posting},
    },
    personal::Personal,
    shared::{Shared, flight_key},
};

/// A POST whose answer may be stored for GET.
pub(crate) struct Posted {
    key: Vec<u8>,
    target: Target,
    uri: Url,
    authority: Option<Box<[u8]>>,
    headers: HeaderMap,
    lookup: Lookup,
    personal: Personal,
    before: Stamp,
    sent: Timestamp,
    began: Duration,
}

impl Posted {
    /// Nothing, if the answer cannot be stored whatever it says.
    pub(crate) fn begins(shared: &Shared, request: &mut Parts, base: Option<&Url>) -> Option<Self> {
        if !shared.storing.policy.fills_from_post || request.method != Method::POST {
            return None;
        }
        if shared.bypasses(request) {
            return None;
        }
        Some(Self {
            key: shared.keys.key(request)?,
            target: shared.keys.target(request)?,
            uri: exactly(base?, request)?,
            authority: authority(request).map(Into::into),
            headers: request.headers.clone(),
            lookup: posting(request)?,
            personal: Personal::watch(&mut request.extensions),
            before: shared.engine.log().stamp(),
            sent: shared.engine.now(),
            began: shared.engine.passed(),
        })
    }

    /// The answer as an entry to be, where its own record stands at this place in the log.
    pub(crate) fn fill(
        mut self,
        shared: &Arc<Shared>,
        at: Stamp,
        head: &response::Parts,
    ) -> Option<Fill> {
        let times = Times {
            sent: self.sent,
            received: shared.engine.now(),
        };
        self.personal.heed(&head.extensions);
        if !self.is_represented(head) || self.personal.is_marked() {
            return None;
        }
        stated_lifetime(&shared.storing.control(&head.headers), &head.headers, times)?;
        let mut plan = shared.storing.decide(&self.lookup, head, times).ok()?;
        let labels = &shared.labels;
        let labelled = labels.add_to(&mut plan.targets, &head.headers, self.authority.as_deref());
        labelled.ok()?;
        let log = shared.engine.log();
        let is_newest = log.only_hit_at(self.before, at, &[self.target])
            && log.verdict(self.before, &plan.targets) == Verdict::Valid;
        if !is_newest || self.personal.refuses(plan.shared_with) {
            return None;
        }
        let request = FilledBy {
            key: &self.key,
            flight: flight_key(&self.key, &self.lookup),
            personal: self.personal,
            target: Some(self.target),
            headers: &self.headers,
            fetched: log.moment(),
            times,
        };
        let mut fill = Fill::new(shared.clone(), None, plan, request, head);
        fill.stands_at(at);
        fill.took_to_the_head(shared.engine.passed().saturating_sub(self.began));
        Some(fill)
    }

    /// Whether the answer is what GET would be answered with: it "implies that the server's response contains
    /// the new representation of that resource" (RFC 9110 §8.7).
    fn is_represented(&self, head: &response::Parts) -> bool {
        let mut lines = head.headers.get_all(CONTENT_LOCATION).iter();
        let line = lines.next().filter(|_| lines.next().is_none());
        let location = line
            .and_then(|line| line.to_str().ok())
            .and_then(|line| self.uri.join(line).ok());
        // A proxy in front may speak https with the client.
        let part = |url: &Url| url[url::Position::BeforeHost..url::Position::AfterQuery].to_owned();
        head.status == StatusCode::OK
            && location.is_some_and(|location| part(&location) == part(&self.uri))
    }
}

/// The URI that was posted to, if it says as a URL what it says as it stands: dots in the path, say, are resolved in
/// what is compared with it, and may mean something to the origin.
fn exactly(base: &Url, request: &Parts) -> Option<Url> {
    let mut uri = base.clone();
    uri.set_query(request.uri.query());
    (uri.path() == request.uri.path() && uri.query() == request.uri.query()).then_some(uri)
}
