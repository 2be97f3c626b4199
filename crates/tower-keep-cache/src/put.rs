//! Responses that come by another way than a request's.

use std::fmt;

use bytes::Bytes;
use http::{Response, request, response};
use tower_keep_store::{Stamp, Verdict};

use crate::{
    fill::{Fill, FilledBy},
    http::{
        entry::promised_length,
        freshness::Times,
        key::authority_of,
        request::{Lookup, Plan, plan},
        storing::StoragePlan,
    },
    object::Fence,
    personal::Personal,
    shared::{Shared, flight_key},
};

/// Why a response was not stored; see [`CacheHandle::put`](crate::CacheHandle::put).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotStored(&'static str);

impl NotStored {
    /// In a word, as in the `detail` of [`CacheStatus::Explain`](crate::CacheStatus::Explain), or: `request` (no
    /// request that could be answered with it), `no-key`, `bypass-when`, `length` (the body is not as long as its
    /// head says), `invalidated` (since the fence), `log-unknown` (the invalidation log could not be read yet).
    #[must_use]
    pub const fn reason(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for NotStored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the response was not stored: {}", self.0)
    }
}

impl std::error::Error for NotStored {}

/// Stores the response as the answer to the request, by the rules for all, if nothing that it depends on was
/// invalidated since the fence.
pub(crate) fn put(
    shared: &Shared,
    fence: Fence,
    request: &request::Parts,
    response: Response<Bytes>,
) -> Result<(), NotStored> {
    let lookup = lookup(shared, request)?;
    let key = shared.keys.key(request).ok_or(NotStored("no-key"))?;
    let (head, body) = response.into_parts();
    let mut personal = Personal::watch(&mut request.extensions.clone());
    personal.heed(&head.extensions);
    let now = shared.engine.now();
    let times = Times {
        sent: now,
        received: now,
    };
    let plan = storage_plan(shared, request, &lookup, &head, times, &personal)?;
    check_length(&head, &body, &plan)?;
    let fill = FilledBy {
        key: &key,
        flight: flight_key(&key, &lookup),
        personal,
        target: shared.keys.target(request),
        headers: &request.headers,
        fetched: fence.moment(),
        times,
    };
    check_fence(shared, &plan, &fill)?;
    Fill::new(shared.clone().into(), None, plan, fill, &head).complete(body, None);
    Ok(())
}

fn lookup(shared: &Shared, request: &request::Parts) -> Result<Lookup, NotStored> {
    match plan(request, false, false) {
        Plan::Lookup(_) if shared.bypasses(request) => Err(NotStored("bypass-when")),
        Plan::Lookup(lookup) if !lookup.head && !lookup.ranged => Ok(lookup),
        _ => Err(NotStored("request")),
    }
}

fn storage_plan(
    shared: &Shared,
    request: &request::Parts,
    lookup: &Lookup,
    head: &response::Parts,
    times: Times,
    personal: &Personal,
) -> Result<StoragePlan, NotStored> {
    let decided = shared.storing.decide(lookup, head, times);
    let mut plan = decided.map_err(|refusal| NotStored(refusal.as_str()))?;
    let authority = authority_of(&request.uri, &request.headers);
    let labelled = shared
        .labels
        .add_to(&mut plan.targets, &head.headers, authority);
    if let Err(refusal) = labelled {
        shared.engine.count_unlabelled();
        return Err(NotStored(refusal.as_str()));
    }
    if personal.refuses(plan.shared_with) {
        return Err(NotStored("personal"));
    }
    Ok(plan)
}

fn check_length(head: &response::Parts, body: &Bytes, plan: &StoragePlan) -> Result<(), NotStored> {
    if body.len() > plan.largest_body {
        return Err(NotStored("too-large"));
    }
    match promised_length(&head.headers) {
        Some(promised) if promised != body.len() as u64 => Err(NotStored("length")),
        _ => Ok(()),
    }
}

/// For whoever asks: what is stored is held against the log whenever it is to be used.
fn check_fence(shared: &Shared, plan: &StoragePlan, fill: &FilledBy<'_>) -> Result<(), NotStored> {
    let stamp = fill.fetched.stamp();
    if stamp == Stamp::default() {
        return Err(NotStored("log-unknown"));
    }
    let targets: Vec<_> = plan.targets.iter().copied().chain(fill.target).collect();
    match shared.engine.log().verdict(stamp, &targets) {
        Verdict::Valid => Ok(()),
        Verdict::Soft | Verdict::Invalid => Err(NotStored("invalidated")),
    }
}
