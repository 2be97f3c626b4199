//! Asking only for what is missing of a stored part (RFC 9111 §3.3, §3.4).
//!
//! "A cache MAY complete a stored incomplete response by making a subsequent range request and combining the
//! successful response with the stored response", if both have the same strong validator. So the origin is asked for
//! the rest on condition (`If-Range`) that it is of the same; if it is not, it sends all.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{
        CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH,
        IF_RANGE, RANGE,
    },
    response,
};
use http_body::Body;
use tower_keep_store::Outcome;

use super::{asking::Asking, tell};
use crate::{
    body::ResponseBody,
    engine::entry::Entry,
    fill::Fill,
    http::{
        entry::{Stored, StoredResponse},
        freshening::freshened,
        place::{Place, forget_digests, share_coding, share_strong_validator},
        refusal::Refusal,
        status::Forward,
    },
    service::admits,
    shared::part_key,
    tee::Tee,
};

impl Asking {
    /// Asks for the rest only, if this process has the beginning. Who leads nobody asks for all: should the rest be
    /// refused, that costs one request of many its answer.
    pub(super) fn ask_for_rest(&mut self, request: &mut HeaderMap) {
        let Some(entry) = self.beginning() else {
            return;
        };
        let Some((length, tag)) = entry.value.response().and_then(beginning_of) else {
            return;
        };
        let rest = HeaderValue::from_str(&format!("bytes={length}-"));
        request.insert(RANGE, rest.expect("a range is visible ASCII"));
        request.insert(IF_RANGE, tag.clone());
        self.why = Forward::Partial;
        self.beginning = Some(entry);
    }

    /// The whole, of its stored beginning and the rest that the origin has sent.
    pub(super) fn complete<B>(
        &mut self,
        beginning: &Entry<Stored>,
        mut head: response::Parts,
        body: B,
    ) -> Response<ResponseBody<B>>
    where
        B: Body + Send + 'static,
        B::Error: Send,
    {
        let stored = beginning.value.response();
        let fits = stored.and_then(|stored| Some((stored, length_with(stored, &head.headers)?)));
        let Some((stored, length)) = fits else {
            return self.refuse_rest();
        };
        head.status = StatusCode::OK;
        // "A cache MUST update the stored response header fields using the header fields provided in the new
        // response, as per Section 3.2" (RFC 9111 §3.4): the rest need not repeat what the beginning said.
        head.headers = freshened(&stored.headers, &head.headers);
        forget_digests(&mut head.headers);
        head.headers.remove(CONTENT_RANGE);
        head.headers.insert(CONTENT_LENGTH, length.into());
        let took = self.took();
        self.personal.heed(&head.extensions);
        let (fill, refusal) = match self.decide_whole(beginning, &head) {
            Ok(mut fill) => {
                fill.took_to_the_head(took);
                (Some(fill), None)
            }
            Err(refusal) => (None, Some(refusal)),
        };
        self.tell(took, refusal);
        if let Some(refusal) = refusal {
            self.refuse(refusal);
        }
        let body = Tee::continuing(stored.body.clone(), body, fill);
        self.finish(head, ResponseBody::storing(body), refusal)
    }

    /// As any, and it depends on what its beginning depends on.
    fn decide_whole(
        &mut self,
        beginning: &Entry<Stored>,
        head: &response::Parts,
    ) -> Result<Fill, Refusal> {
        let times = self.times();
        let mut plan = self.plan(head, times)?;
        plan.depends_on_too(&beginning.meta.targets)?;
        Ok(self.fill(plan, head, times))
    }

    /// What came is neither all nor the rest: "the server, while acting as a gateway …, received an invalid
    /// response" (RFC 9110 §15.6.3). The request has gone with its body and cannot be repeated; those who wait for it
    /// ask for all, and so does the next one.
    pub(super) fn refuse_rest<B: Body>(&mut self) -> Response<ResponseBody<B>> {
        tracing::warn!(
            "the origin answered If-Range with what is not of the same: the part is given up"
        );
        self.shared.engine.remove(&part_key(&self.key));
        self.release();
        tell(self.cell.as_ref(), Outcome::Error.into());
        let mut response = Response::new(ResponseBody::empty());
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response
    }

    fn beginning(&self) -> Option<Arc<Entry<Stored>>> {
        let asks_for_all = self.lead.is_some() && !self.lookup.ranged && self.known.is_none();
        let is_question = [IF_NONE_MATCH, IF_MODIFIED_SINCE]
            .iter()
            .any(|name| self.headers.contains_key(name));
        if !self.shared.storing.policy.stores_parts || !asks_for_all || is_question {
            return None;
        }
        let engine = &self.shared.engine;
        let (entry, _) = engine.first(&part_key(&self.key), engine.present())?;
        admits(&entry, &self.lookup).then_some(entry)
    }
}

/// How much there is of it from its first byte on, if that is not all, and its strong validator.
fn beginning_of(stored: &StoredResponse) -> Option<(usize, &HeaderValue)> {
    let place = Place::of(&stored.headers)?;
    let tag = stored.headers.get(ETAG)?;
    // Of a length that is not known it may be all, and there be no rest to send.
    let is_short = place.complete.is_some_and(|all| place.bytes.end < all);
    let is_beginning = is_short && place.bytes.start == 0 && place.bytes.end == stored.body.len();
    (is_beginning && tag.as_bytes().starts_with(b"\"")).then_some((place.bytes.end, tag))
}

/// How long both are together, if they are the whole of the same.
fn length_with(stored: &StoredResponse, rest: &HeaderMap) -> Option<usize> {
    let place = Place::of(rest)?;
    let is_rest = place.bytes.start == stored.body.len()
        && place.complete == Some(place.bytes.end)
        && share_strong_validator(&stored.headers, rest)
        && (!rest.contains_key(CONTENT_ENCODING) || share_coding(&stored.headers, rest));
    is_rest.then_some(place.bytes.end)
}
