//! What is cached, for how long, and what makes it invalid: all in one place.

use std::{future::Future, sync::Arc, time::Duration};

use tower_keep::{
    CacheDirective, CacheHandle, CacheLayer, Class, Classes, Mode, ObjectCache, Store, Tag,
};

use crate::{
    candidates::Candidate,
    error::StartError,
    http::{Bypass, Problem},
    say,
    webhook::Configuration,
};

/// The cached values of the application, and the means to invalidate.
#[derive(Clone, Debug)]
pub(crate) struct Caches {
    handle: CacheHandle,
    candidates: ObjectCache<Candidate>,
    configurations: ObjectCache<Configuration>,
}

/// Builds the layer, and what the application needs beside it.
pub(crate) fn build(store: &Store) -> Result<(CacheLayer, Caches), StartError> {
    let failed = |error| StartError::because("the cache cannot be set up", error);
    let layer = CacheLayer::builder(store.clone())
        .classes(classes())
        .bypass_when(|parts: &http::request::Parts| Bypass::of(parts).is_asked())
        .build()
        .map_err(failed)?;
    let handle = layer.handle();
    let caches = Caches {
        candidates: handle.objects("user-profile").map_err(failed)?,
        configurations: handle.objects("merchant-config").map_err(failed)?,
        handle,
    };
    Ok((layer, caches))
}

/// Every lifetime. What is invalidated by events may live long; what is not may
/// live as long as it may be out of date.
fn classes() -> Classes {
    Classes::new()
        .class("merchant-config", Class::fresh_for(24 * HOUR))
        .class("user-profile", page(HOUR))
        .class("catalog", page(30 * MINUTE))
        .class("recommendations", page(5 * MINUTE))
        .class("search", page(2 * MINUTE))
        .class("dashboard-statistics", page(MINUTE))
}

/// No page here depends on a cookie. Requests carry some all the same: browsers
/// send those of every other application on the same host, whatever its port.
fn page(lifetime: Duration) -> Class {
    Class::fresh_for(lifetime).allow_cookies()
}

/// A dashboard shows its recruiter's candidates and its company's numbers.
pub(crate) fn dashboard(recruiter: i64, company: i64) -> CacheDirective {
    CacheDirective::class("dashboard-statistics")
        .tag(Tag::of("recruiter", recruiter))
        .tag(Tag::of("company", company))
}

pub(crate) fn recruiters() -> CacheDirective {
    CacheDirective::class("catalog").tag(Tag::new("recruiters"))
}

pub(crate) fn catalog() -> CacheDirective {
    CacheDirective::class("catalog").tag(Tag::new("jobs"))
}

/// Depends on everyone's profile, but only the candidate's own is worth an
/// invalidation; the rest may be five minutes old.
pub(crate) fn recommendations(candidate: i64) -> CacheDirective {
    CacheDirective::class("recommendations")
        .tag(Tag::of("candidate", candidate))
        .tag(Tag::new("jobs"))
}

pub(crate) fn candidate(id: i64) -> CacheDirective {
    CacheDirective::class("user-profile").tag(Tag::of("candidate", id))
}

pub(crate) fn candidate_list() -> CacheDirective {
    CacheDirective::class("search").tag(Tag::new("candidates"))
}

/// What shows a candidate's status, beside the candidate.
pub(crate) fn touched_by_candidate(candidate: &Candidate) -> Vec<Tag> {
    vec![
        Tag::new("candidates"),
        Tag::of("company", candidate.company_id),
        Tag::of("recruiter", candidate.recruiter_id),
    ]
}

/// What shows a company's interviews.
pub(crate) fn touched_by_interview(company: i64) -> Vec<Tag> {
    vec![Tag::of("company", company)]
}

impl Caches {
    /// The candidate, loaded at most once at a time.
    pub(crate) async fn candidate<F>(
        &self,
        id: i64,
        load: impl FnOnce() -> F,
    ) -> Result<Arc<Candidate>, Problem>
    where
        F: Future<Output = Result<Candidate, Problem>>,
    {
        let tags = [Tag::of("candidate", id)];
        self.candidates
            .get_or_load(("candidate", id), &tags, load)
            .await
    }

    /// Lets refreshes and writes come to their end before the application does.
    pub(crate) async fn shutdown(&self) {
        let unfinished = self.handle.shutdown(LAST_CALL).await;
        if !unfinished.is_nothing() {
            say(format_args!("the cache was not done: {unfinished:?}"));
        }
    }

    /// Runs `write` and keeps what it returns, in the place of anything older.
    pub(crate) async fn write_candidate(
        &self,
        id: i64,
        write: impl Future<Output = Result<Candidate, Problem>>,
    ) -> Result<Arc<Candidate>, Problem> {
        let tags = [Tag::of("candidate", id)];
        self.candidates.write(("candidate", id), &tags, write).await
    }

    /// The company's configuration. It holds no secret.
    pub(crate) async fn configuration<F>(
        &self,
        company: i64,
        load: impl FnOnce() -> F,
    ) -> Result<Arc<Configuration>, Problem>
    where
        F: Future<Output = Result<Configuration, Problem>>,
    {
        let tags = [Tag::of("configuration", company)];
        self.configurations
            .get_or_load(("configuration", company), &tags, load)
            .await
    }

    /// Invalidates at once here, and everywhere as soon as the store can be told.
    ///
    /// That the store cannot be told now is no failure of the request: the
    /// change is committed, and telling goes on in the background.
    pub(crate) async fn invalidate(&self, tags: Vec<Tag>) {
        if let Err(error) = self.handle.invalidate(tags, Mode::Hard).await {
            say(format_args!("an invalidation is late: {error}"));
        }
    }
}

/// For what is still on its way into the store when the last request is answered.
const LAST_CALL: Duration = Duration::from_secs(5);

const MINUTE: Duration = Duration::from_secs(60);

const HOUR: Duration = Duration::from_secs(60 * 60);
