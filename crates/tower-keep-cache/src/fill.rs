//! From a response on its way to an entry.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_LENGTH, SET_COOKIE},
    response,
};
use sha2::{Digest, Sha256};
use tower_keep_store::{Moment, OutcomeCell, Stamp, Target};

use crate::{
    engine::{
        background::Background,
        early,
        entry::{Entry, Meta},
        flight::{Flight, Lead, Source},
    },
    http::{
        entry::{Stored, StoredResponse, Variants, add_entity_tag, kept_headers, promised_length},
        freshness::Times,
        labels::hide,
        place::Place,
        said::Said,
        storing::StoragePlan,
        validation::tag_of,
    },
    parted::Parted,
    personal::Personal,
    shared::{Shared, variant_key},
};

/// Everything of an entry but its body. Whoever waits for the entry waits for this to be
/// [completed](Self::complete), released or dropped.
pub(crate) struct Fill {
    shared: Arc<Shared>,
    lead: Option<Lead<Stored>>,
    key: Vec<u8>,
    flight: Vec<u8>,
    personal: Personal,
    fetched: Moment,
    meta: Meta,
    status: StatusCode,
    headers: HeaderMap,
    promised_length: Option<u64>,
    variant: Option<Variant>,
    /// Where it lies in the whole, if it is a part.
    part: Option<Place>,
    plan: StoragePlan,
    /// Since when the origin has been waited for.
    waiting: Option<Duration>,
    /// Where the request's outcome was told.
    cell: Option<OutcomeCell>,
}

/// Which variant the request selected.
#[derive(Debug)]
struct Variant {
    names: Box<[http::HeaderName]>,
    digest: [u8; 16],
}

/// The request whose answer it is.
#[derive(Clone, Debug)]
pub(crate) struct FilledBy<'a> {
    /// The key of the resource, not of a variant.
    pub(crate) key: &'a [u8],
    /// Under which requests like it wait for one another.
    pub(crate) flight: Cow<'a, [u8]>,
    pub(crate) personal: Personal,
    pub(crate) target: Option<Target>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) fetched: Moment,
    pub(crate) times: Times,
}

impl Fill {
    pub(crate) fn new(
        shared: Arc<Shared>,
        lead: Option<Lead<Stored>>,
        mut plan: StoragePlan,
        request: FilledBy<'_>,
        head: &response::Parts,
    ) -> Self {
        let times = request.times;
        let mut headers = kept_headers(head, times.received);
        hide(&shared.hidden, &mut headers);
        let meta = Meta {
            stamp: request.fetched.stamp(),
            targets: plan.targets.drain(..).chain(request.target).collect(),
            received: times.received,
            fresh_until: plan.fresh_until,
            stale_until: plan.fresh_until + plan.stale_while_revalidate,
            error_until: plan.fresh_until + plan.stale_if_error,
            kept_until: plan.fresh_until + plan.keep,
            cost: Duration::ZERO,
            early: Duration::ZERO,
            first_level: plan.first_level,
            store: plan.store,
        };
        let variant = plan.variance.take().map(|names| Variant {
            digest: shared.variant_of(&names, request.headers),
            names,
        });
        for name in shared.storing.withheld(&head.headers) {
            headers.remove(name);
        }
        Self {
            shared,
            lead,
            key: request.key.to_vec(),
            flight: request.flight.into_owned(),
            personal: request.personal,
            fetched: request.fetched,
            meta,
            status: head.status,
            headers,
            promised_length: promised_length(&head.headers),
            variant,
            part: None,
            plan,
            waiting: None,
            cell: None,
        }
    }

    /// What it answers is the outcome of a change whose record stands there.
    pub(crate) fn stands_at(&mut self, place: Stamp) {
        self.meta.stamp = place;
    }

    /// Its body is a part of the whole.
    pub(crate) fn is_part(&mut self, place: Place) {
        self.part = Some(place);
    }

    pub(crate) fn took_to_the_head(&mut self, time: Duration) {
        self.meta.cost = time;
    }

    /// Who has to know how the storing ends.
    pub(crate) fn report_to(&mut self, cell: Option<OutcomeCell>) {
        self.cell = cell;
    }

    /// The origin is asked for more of the body.
    pub(crate) fn waits(&mut self) {
        let now = || self.shared.engine.passed();
        self.waiting.get_or_insert_with(now);
    }

    /// It has answered: what it took counts, and not what its reader took since.
    pub(crate) fn has_waited(&mut self) {
        if let Some(since) = self.waiting.take() {
            self.meta.cost += self.shared.engine.passed().saturating_sub(since);
        }
    }

    /// The flight of those who wait for it.
    pub(crate) fn flight(&self) -> Option<&Arc<Flight<Stored>>> {
        self.lead.as_ref().map(Lead::flight)
    }

    /// Whether other processes may wait for it.
    pub(crate) fn is_leased(&self) -> bool {
        self.lead.as_ref().is_some_and(Lead::is_leased)
    }

    pub(crate) fn largest_body(&self) -> usize {
        self.plan.largest_body
    }

    pub(crate) fn background(&self) -> &Background {
        &self.shared.engine.background
    }

    /// How long the rest of a body may take once others wait for it or the client has gone.
    pub(crate) fn patience(&self) -> Duration {
        self.shared.patience
    }

    /// It will not be an entry: those who wait go on alone.
    pub(crate) fn release(mut self) {
        if let Some(cell) = &self.cell {
            cell.not_stored();
        }
        if let Some(lead) = self.lead.take() {
            lead.release();
        }
    }

    /// The body has passed as a whole.
    pub(crate) fn complete(mut self, body: Bytes, mut trailers: Option<HeaderMap>) {
        // Whoever made the body may have looked at the session after the head had gone.
        if self.personal.refuses(self.plan.shared_with) {
            self.shared.mark_unshared(&self.flight);
            if let Some(lead) = self.lead.take() {
                lead.release_for_long();
            }
            return self.release();
        }
        let cookie = trailers
            .as_mut()
            .and_then(|trailers| trailers.remove(SET_COOKIE));
        if cookie.is_some() && !self.shared.storing.strip_set_cookie {
            return self.release();
        }
        let length = body.len() as u64;
        if self
            .promised_length
            .is_some_and(|promised| promised != length)
        {
            tracing::debug!("a body was not as long as its head promised: not stored");
            return self.release();
        }
        let place = self.part.take();
        // Trailers would be those of this part only.
        let is_sound = |place: &Place| place.bytes.len() == body.len() && trailers.is_none();
        if !place.as_ref().is_none_or(is_sound) {
            return self.release();
        }
        if self.shared.entity_tags && self.status == StatusCode::OK {
            let digest = Sha256::digest(&body);
            add_entity_tag(&mut self.headers, &tag_of(&digest[..16]));
        }
        if trailers.is_none() && !body.is_empty() {
            // For HEAD, and for clients of a response that came in chunks.
            self.headers.insert(CONTENT_LENGTH, body.len().into());
        }
        if let Some(cell) = &self.cell {
            cell.took(self.meta.cost);
        }
        self.meta.early = early::mean_lead(self.meta.cost, self.plan.early_refresh);
        let (key, marker) = match self.variant.take() {
            None => (std::mem::take(&mut self.key), None),
            Some(variant) => self.place_variant(variant),
        };
        let response = StoredResponse {
            status: self.status,
            headers: self.headers,
            body,
            trailers,
            initial_age: self.plan.initial_age,
            shared_with: self.plan.shared_with,
            said: Said::default(),
        };
        let (meta, largest) = (self.meta, self.plan.largest_body);
        let entry = match place {
            Some(place) => Parted {
                place,
                meta,
                response,
            }
            .into_entry(&self.shared, key, largest),
            None => Entry::new(key.into(), meta, Stored::Response(response)),
        };
        let lease = self.lead.as_mut().and_then(Lead::take_lease);
        let entry = self.shared.engine.insert_leased(entry, marker, lease);
        if let Some(lead) = self.lead {
            lead.land(entry, Source::Origin(self.fetched));
        }
    }

    /// The variant's key, and what notes it under the resource's own. One that is too many takes the place of
    /// the oldest.
    fn place_variant(&self, variant: Variant) -> (Vec<u8>, Option<Entry<Stored>>) {
        let engine = &self.shared.engine;
        let mut known = match engine.first(&self.key, engine.present()) {
            Some((entry, _)) => match &entry.value {
                Stored::Variants(present) if present.names == variant.names => {
                    present.known.clone()
                }
                _ => Vec::new(),
            },
            None => Vec::new(),
        };
        known.retain(|digest| *digest != variant.digest);
        known.push(variant.digest);
        while known.len() > self.plan.variants {
            let oldest = known.remove(0);
            engine.remove(&variant_key(&self.key, &oldest));
        }
        let variants = Variants {
            names: variant.names,
            known,
        };
        let meta = Meta {
            // Without it no request would know its variant's key.
            first_level: true,
            // Nobody refreshes it but with a variant.
            early: Duration::ZERO,
            ..self.meta.clone()
        };
        let marker = Entry::new(self.key.clone().into(), meta, Stored::Variants(variants));
        (variant_key(&self.key, &variant.digest), Some(marker))
    }
}

impl fmt::Debug for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fill")
            .field("status", &self.status)
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}
