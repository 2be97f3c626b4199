//! The way of a request for a part of what this process does not hold as a whole.
//!
//! It goes alone: nobody waits for another's part. What comes is kept under a key of its own, beside that of the
//! whole, one stretch of bytes for each; a further one that touches it, under the same strong validator, makes it
//! longer, and the whole response when nothing is missing. Another takes its place.

use http::{
    HeaderMap, Response, StatusCode,
    header::{CONTENT_TYPE, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE},
    response,
};
use http_body::Body;
use tower_keep_store::Outcome;
use tower_service::Service;

use super::{Fetch, Origin, Pending, asking::Asking, tell};
use crate::{
    body::ResponseBody,
    engine::entry::{Entry, Usability},
    fill::Fill,
    future::{Led, ResponseFuture},
    http::{
        answer::{self, Asked, from_part},
        entry::Stored,
        place::Place,
        refusal::Refusal,
        status::{Forward, Report},
    },
    service::{admits, told},
    shared::{Found, Shared, part_key},
};

/// A request for a part, and what is known.
pub(crate) struct PartFetch<S, ReqBody> {
    fetch: Fetch<S, ReqBody>,
    /// A part is stored, and not the one that is asked for.
    knows_another: bool,
}

impl<S, ReqBody, ResBody> PartFetch<S, ReqBody>
where
    S: Service<http::Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Body + Send + 'static,
    ResBody: Body + Send + 'static,
    ResBody::Error: Send,
{
    pub(crate) fn new(
        shared: std::sync::Arc<Shared>,
        origin: Origin<S>,
        request: Pending<ReqBody>,
        found: Found,
    ) -> Self {
        Self {
            fetch: Fetch::new(shared, origin, request, found),
            knows_another: false,
        }
    }

    pub(crate) fn into_future(self) -> ResponseFuture<S, ReqBody, ResBody> {
        let patience = self.fetch.shared.patience;
        let background = self.fetch.shared.engine.background.clone();
        ResponseFuture::running(Box::pin(self.run()), Led::default(), patience, background)
    }

    /// Looks for the part here, then for whole and part in the store, then asks the origin.
    async fn run(mut self) -> Result<Response<ResponseBody<ResBody>>, S::Error> {
        if let Some(response) = self.look_here() {
            return Ok(response);
        }
        if let Some(response) = self.look_for_whole().await {
            return Ok(response);
        }
        if let Some(response) = self.look_for_part().await {
            return Ok(response);
        }
        let Self {
            fetch,
            knows_another,
        } = self;
        if fetch.request.lookup.only_if_cached {
            tell(fetch.request.cell.as_ref(), Outcome::Rejected.into());
            return Ok(answer::not_cached(&fetch.shared.status));
        }
        let why = match knows_another {
            true => Forward::Partial,
            false => fetch.why_missed(),
        };
        fetch.ask_origin(None, why).await
    }

    fn look_here(&mut self) -> Option<Response<ResponseBody<ResBody>>> {
        let engine = &self.fetch.shared.engine;
        let found = engine.first(&part_key(&self.fetch.found.key), engine.present());
        let (entry, usability) = found?;
        self.knows_another = true;
        self.answer(&entry, usability)
    }

    async fn look_for_whole(&mut self) -> Option<Response<ResponseBody<ResBody>>> {
        let engine = self.fetch.shared.engine.clone();
        let (entry, usability) = engine.second(&self.fetch.found.key).await?;
        if matches!(entry.value, Stored::Variants(_)) && !self.fetch.found.is_variant() {
            // The first level knows now which one it is, and may have it.
            self.fetch.look_again();
            return self.look_here();
        }
        let is_usable = self.fetch.judge(&entry, usability) == Usability::Fresh
            && admits(&entry, &self.fetch.request.lookup);
        is_usable.then(|| {
            let told = told(&entry, Outcome::Hit);
            tell(self.fetch.request.cell.as_ref(), told);
            self.fetch.answer(&entry, Outcome::Hit)
        })
    }

    async fn look_for_part(&mut self) -> Option<Response<ResponseBody<ResBody>>> {
        let engine = &self.fetch.shared.engine;
        let (entry, usability) = engine.second(&part_key(&self.fetch.found.key)).await?;
        self.knows_another = true;
        self.answer(&entry, usability)
    }

    /// What is asked for, if it is fresh and wholly within this part.
    fn answer(
        &self,
        entry: &Entry<Stored>,
        usability: Usability,
    ) -> Option<Response<ResponseBody<ResBody>>> {
        let Fetch {
            shared, request, ..
        } = &self.fetch;
        let headers = &request.head.headers;
        let is_question =
            headers.contains_key(IF_NONE_MATCH) || headers.contains_key(IF_MODIFIED_SINCE);
        let is_usable = self.fetch.judge(entry, usability) == Usability::Fresh
            && admits(entry, &request.lookup)
            && !is_question;
        let stored = entry.value.response().filter(|_| is_usable)?;
        let now = shared.engine.now();
        let report = Report::Hit {
            ttl: answer::seconds_left(&entry.meta, now),
        };
        let asked = Asked::of(&request.lookup, headers);
        let fields = || answer::fields(stored, &entry.meta, report, &shared.status, now);
        let response = from_part(stored, asked, fields)?;
        tell(request.cell.as_ref(), told(entry, Outcome::Hit));
        Some(response)
    }
}

impl Asking {
    /// How a part is stored, if it may be: as the whole would be.
    pub(super) fn decide_part(&mut self, head: &response::Parts) -> Result<Fill, Refusal> {
        let is_part = self.lookup.ranged && self.shared.storing.policy.stores_parts;
        // Who sends that knows the other fields: "the sender SHOULD NOT generate other representation header fields
        // beyond those required" (RFC 9110 §15.3.7).
        let lacks_fields = self.headers.contains_key(IF_RANGE);
        let is_sound = is_part && !lacks_fields && !is_multipart(&head.headers);
        let place = Place::of(&head.headers).filter(|_| is_sound);
        let place = place.ok_or(Refusal::Status)?;
        let times = self.times();
        let mut whole = head.clone();
        whole.status = StatusCode::OK;
        let plan = self.storage_plan(&whole, times)?;
        if plan.always_validated {
            return Err(Refusal::NoLifetime);
        }
        let mut fill = self.fill(plan, head, times);
        fill.is_part(place);
        Ok(fill)
    }
}

/// Whether its content has the fields of several parts in it.
fn is_multipart(fields: &HeaderMap) -> bool {
    let kind = fields.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    let kind = kind.and_then(|kind| kind.get(..MULTIPART.len()));
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(MULTIPART))
}

const MULTIPART: &[u8] = b"multipart/byteranges";
