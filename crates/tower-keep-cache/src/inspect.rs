//! What is stored for a resource, for those who run the cache.

use std::{sync::Arc, time::Duration};

use http::{HeaderName, Request, StatusCode, Uri, header::HOST, request::Parts, uri};
use tower_keep_store::{StoreError, Target, Timestamp, Verdict};

use crate::{
    engine::entry::{Entry, Usability},
    http::{
        answer::current_age,
        entry::{Stored, StoredResponse, Variants},
    },
    shared::{Shared, variant_key},
};

/// A stored response, without its body; see [`CacheHandle::inspect`](crate::CacheHandle::inspect).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// Whether it is in this process's first level; otherwise in the store.
    pub first_level: bool,
    /// The request fields by which the resource varies; empty if it does not.
    pub varies_by: Vec<HeaderName>,
    /// A digest of those fields' values: which variant it is.
    pub variant: Option<[u8; 16]>,
    /// Its status.
    pub status: StatusCode,
    /// Bytes of its body.
    pub body: usize,
    /// Its age (RFC 9111 §4.2.3).
    pub age: Duration,
    /// How long it is fresh yet; zero once it is not.
    pub fresh_for: Duration,
    /// How long it may answer while it is refreshed.
    pub stale_while_revalidate: Duration,
    /// How long it may answer in place of an error.
    pub stale_if_error: Duration,
    /// How long it may answer once the origin has confirmed it.
    pub kept_for: Duration,
    /// How long the origin took for it.
    pub cost: Duration,
    /// What it depends on, and whether that was invalidated since its fetch began.
    pub targets: Vec<(Target, Verdict)>,
    /// How it may be used now.
    pub state: InspectedState,
}

/// How a stored response may be used now, and why not otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InspectedState {
    /// As an answer.
    Fresh,
    /// As an answer, while it is refreshed.
    Stale,
    /// Only in place of an error of the origin.
    OnError,
    /// Once the origin has confirmed it.
    ToBeValidated,
    /// Not: its time is over.
    Expired,
    /// Not: something that it depends on was invalidated, or is being changed.
    Invalidated,
    /// Not: nobody can tell whether it was invalidated. The log began anew since, or it was so long ago that it is
    /// not remembered; or everything was invalidated.
    Unverified,
    /// Not now: the invalidation log has not been heard for longer than the staleness bound.
    LogSilent,
}

impl InspectedState {
    /// The state in a word or three.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::OnError => "stale-on-error",
            Self::ToBeValidated => "to-be-validated",
            Self::Expired => "expired",
            Self::Invalidated => "invalidated",
            Self::Unverified => "unverified",
            Self::LogSilent => "log-silent",
        }
    }
}

/// The request for a URI, as it may have come: HTTP/1.1 does not tell its scheme.
pub(crate) fn requests(authority: &str, uri: &Uri) -> Vec<Parts> {
    let host = uri.authority().map_or(authority, |own| own.as_str());
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let by_line = Request::get(target).header(HOST, host).body(());
    let by_scheme = ["http", "https"].map(|scheme| {
        let uri = uri::Builder::new()
            .scheme(scheme)
            .authority(host)
            .path_and_query(target);
        Request::get(uri.build().ok()?).body(()).ok()
    });
    let all = by_line
        .ok()
        .into_iter()
        .chain(by_scheme.into_iter().flatten());
    all.map(|request| request.into_parts().0).collect()
}

/// All that is stored under a request's key, in either level, whichever variant.
pub(crate) async fn inspect(
    shared: &Shared,
    request: &Parts,
) -> Result<Vec<Inspection>, StoreError> {
    let Some(key) = shared.keys.key(request) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    let here = shared.engine.peek_first(&key);
    let there = shared.engine.peek_store(&key).await?;
    for (entry, first_level) in [(here, true), (there, false)] {
        let Some(entry) = entry else { continue };
        match &entry.value {
            Stored::Response(response) => {
                found.push(inspection(shared, &entry, response, first_level));
            }
            Stored::Variants(variants) => {
                inspect_variants(shared, &key, variants, first_level, &mut found).await?;
            }
        }
    }
    Ok(found)
}

/// Those that one level's list names, in that level.
async fn inspect_variants(
    shared: &Shared,
    resource: &[u8],
    variants: &Variants,
    first_level: bool,
    found: &mut Vec<Inspection>,
) -> Result<(), StoreError> {
    for digest in variants.known.iter().take(MOST_VARIANTS) {
        let key = variant_key(resource, digest);
        let entry = match first_level {
            true => shared.engine.peek_first(&key),
            false => shared.engine.peek_store(&key).await?,
        };
        let Some(entry) = entry else { continue };
        if let Stored::Response(response) = &entry.value {
            found.push(Inspection {
                varies_by: variants.names.to_vec(),
                variant: Some(*digest),
                ..inspection(shared, &entry, response, first_level)
            });
        }
    }
    Ok(())
}

fn inspection(
    shared: &Shared,
    entry: &Arc<Entry<Stored>>,
    response: &StoredResponse,
    first_level: bool,
) -> Inspection {
    let now = shared.engine.now();
    let log = shared.engine.log();
    let meta = &entry.meta;
    let verdict = |target: &Target| (*target, log.verdict(meta.stamp, &[*target]));
    Inspection {
        first_level,
        varies_by: Vec::new(),
        variant: None,
        status: response.status,
        body: response.body.len(),
        age: current_age(response, meta, now),
        fresh_for: meta.fresh_until.since(now),
        stale_while_revalidate: meta.stale_until.since(now),
        stale_if_error: meta.error_until.since(now),
        kept_for: meta.kept_until.since(now),
        cost: meta.cost,
        targets: meta.targets.iter().map(verdict).collect(),
        state: state(shared, entry, now),
    }
}

fn state(shared: &Shared, entry: &Entry<Stored>, now: Timestamp) -> InspectedState {
    let log = shared.engine.log();
    match entry.usability(log, now) {
        Usability::Fresh => InspectedState::Fresh,
        Usability::Stale => InspectedState::Stale,
        Usability::OnError => InspectedState::OnError,
        Usability::Expired => InspectedState::ToBeValidated,
        Usability::Not if !log.is_current() => InspectedState::LogSilent,
        Usability::Not if entry.meta.useless_at() <= now => InspectedState::Expired,
        Usability::Not if log.verdict(entry.meta.stamp, &[]) == Verdict::Invalid => {
            InspectedState::Unverified
        }
        Usability::Not => InspectedState::Invalidated,
    }
}

/// Variants that are looked at.
const MOST_VARIANTS: usize = 64;
