//! What is noted of a request that passes, for its response.

use std::{fmt, sync::Arc};

use http::{Extensions, Response, response};
use http_body::Body;
use tower_keep_store::ResponseBody;

use crate::{
    answer::Remarks,
    limits::Limits,
    slots::Held,
    status::RateLimitStatus,
    verdict::{Unsettled, Verdict},
};

/// The verdict about a request that is on its way.
pub(crate) struct Note {
    limits: Arc<Limits>,
    remarks: Remarks,
    held: Option<Box<Held>>,
    unsettled: Vec<Unsettled>,
}

impl Note {
    /// Tells those further in, and keeps what the response needs.
    pub(crate) fn take(limits: &Arc<Limits>, verdict: Verdict, request: &mut Extensions) -> Self {
        let remarks = limits.answers.remarks(&verdict.status);
        let mut said = verdict.status;
        if let Some(outer) = request.get::<RateLimitStatus>() {
            warn_of_double_charges(outer, &said);
            said.policies.insert_many(0, outer.policies.iter().cloned());
        }
        request.insert(said);
        Self {
            limits: limits.clone(),
            remarks,
            held: verdict.held,
            unsettled: verdict.unsettled,
        }
    }

    /// Settles what its outcome costs, adds the fields, and lets slots live as long as the body.
    pub(crate) fn write<B: Body>(self, response: Response<B>) -> Response<ResponseBody<B>> {
        let (mut head, body) = response.into_parts();
        self.settle(&head);
        self.remarks.add_to(&mut head.headers);
        let body = match self.held {
            Some(held) => ResponseBody::holding(body, *held),
            None => ResponseBody::passing(body),
        };
        Response::from_parts(head, body)
    }

    /// Gives back, or takes, what the outcome costs less or more than was charged.
    fn settle(&self, response: &response::Parts) {
        for unsettled in &self.unsettled {
            let charge = &unsettled.charge;
            let policy = &self.limits.policies[charge.bound.policy].policy;
            let outcome = policy.outcome.as_ref();
            let cost = outcome.map_or(charge.cost, |outcome| outcome(response));
            if cost != charge.cost {
                let units = i64::from(charge.cost) - i64::from(cost);
                self.limits.place.give_back(unsettled, units);
            }
        }
    }
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Note")
            .field("remarks", &self.remarks)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

/// Two layers with policies of one name share their buckets: a request through both pays twice.
fn warn_of_double_charges(outer: &RateLimitStatus, inner: &RateLimitStatus) {
    if !cfg!(debug_assertions) {
        return;
    }
    for policy in &inner.policies {
        if outer
            .policies
            .iter()
            .any(|other| other.name() == policy.name())
        {
            tracing::warn!(
                policy = policy.name(),
                "two rate limit layers charge the same policy for one request"
            );
        }
    }
}
