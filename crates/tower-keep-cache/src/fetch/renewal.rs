//! The origin has confirmed what is stored: it is fresh again, for all who may share it.

use std::{sync::Arc, time::Duration};

use http::{
    Response,
    header::{DATE, SET_COOKIE},
    response,
};
use http_body::Body;
use tower_keep_store::{Outcome, Told};

use super::{asking::Asking, tell};
use crate::{
    body::ResponseBody,
    engine::entry::{Entry, Meta},
    http::{
        answer::{self, Asked},
        entry::{Stored, StoredResponse, kept_headers},
        freshening::freshened,
        freshness::{Times, initial_age},
        labels::{Hidden, hide},
        refusal::Refusal,
        said::Said,
        status::Report,
        storing::StoragePlan,
    },
};

impl Asking {
    /// Answers with what is stored, and stores it anew with the fields of the 304. It has been right since
    /// this fetch began, so that is where it stands in the log, whatever was invalidated before.
    pub(super) fn renew<B: Body>(
        &mut self,
        known: &Entry<Stored>,
        head: response::Parts,
        took: Duration,
    ) -> Response<ResponseBody<B>> {
        let stored = known.value.response();
        let stored = stored.expect("only responses are validated");
        self.personal.heed(&head.extensions);
        let head = confirmed(stored, head);
        let times = self.times();
        let refusal = self.keep_renewed(known, stored, &head, took).err();
        let told = Told::from(Outcome::Revalidated).origin_time(took);
        tell(self.cell.as_ref(), told.unstored(refusal.is_some()));
        if let Some(refusal) = refusal {
            self.refuse(refusal);
        }
        let mut headers = kept_headers(&head, times.received);
        hide(&self.shared.hidden, &mut headers);
        let renewed = StoredResponse {
            headers,
            initial_age: initial_age(&head.headers, times),
            said: Said::default(),
            ..stored.clone()
        };
        let meta = Meta {
            received: times.received,
            ..known.meta.clone()
        };
        let report = Report::Validated {
            why: self.why,
            stored: refusal.is_none(),
            detail: refusal.map(Refusal::as_str),
        };
        let now = times.received;
        let mut fields = answer::fields(&renewed, &meta, report, &self.shared.status, now);
        // Not stored, but meant for this client.
        for cookie in head.headers.get_all(SET_COOKIE) {
            fields.append(SET_COOKIE, cookie.clone());
        }
        let asked = Asked::of(&self.lookup, &self.headers);
        answer::from_stored(&renewed, asked, fields)
    }

    fn keep_renewed(
        &mut self,
        known: &Entry<Stored>,
        stored: &StoredResponse,
        head: &response::Parts,
        took: Duration,
    ) -> Result<(), Refusal> {
        let times = self.times();
        let mut plan = self.plan(head, times)?;
        let is_kept_long = known.meta.kept_until.since(times.received) > plan.keep / 2;
        // The fields that name tags may be hidden: what they say is compared itself.
        let depends_on_more = |plan: &StoragePlan| {
            let mut targets = plan.targets.iter();
            targets.any(|target| !known.meta.targets.contains(target))
        };
        if plan.always_validated
            && is_kept_long
            && !depends_on_more(&plan)
            && says_the_same(stored, head, times, &self.shared.hidden)
        {
            // Whoever asks next asks the origin too: nothing would be gained by writing it anew each time.
            self.go_alone();
            return Ok(());
        }
        // A 304 need not repeat what the response depends on.
        plan.depends_on_too(&known.meta.targets)?;
        let mut fill = self.fill(plan, head, times);
        fill.took_to_the_head(took);
        fill.complete(stored.body.clone(), stored.trailers.clone());
        Ok(())
    }

    pub(super) fn times(&self) -> Times {
        Times {
            sent: self.sent,
            received: self.shared.engine.now(),
        }
    }
}

/// Whether a 304 brought nothing but another date.
fn says_the_same(
    stored: &StoredResponse,
    head: &response::Parts,
    times: Times,
    hidden: &Hidden,
) -> bool {
    let mut fields = kept_headers(head, times.received);
    hide(hidden, &mut fields);
    if let Some(date) = stored.headers.get(DATE) {
        fields.insert(DATE, date.clone());
    }
    fields == stored.headers
}

/// The head of the stored response, as the 304 confirms it.
pub(super) fn confirmed(stored: &StoredResponse, mut head: response::Parts) -> response::Parts {
    head.status = stored.status;
    head.headers = freshened(&stored.headers, &head.headers);
    head
}

/// What is stored for this key and can be asked about.
pub(super) fn can_be_validated(known: Option<&Arc<Entry<Stored>>>, key: &[u8]) -> bool {
    known.is_some_and(|known| {
        let response = known.value.response();
        *known.key == *key
            && response
                .is_some_and(|stored| crate::http::validation::has_validator(&stored.headers))
    })
}
