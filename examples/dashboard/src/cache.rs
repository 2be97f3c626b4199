//! What is cached, for how long, and what makes it invalid: all in one place.

use std::{future::Future, sync::Arc, time::Duration};

use tower_keep::{
    CacheDirective, CacheHandle, CacheLayer, Changed, Class, Classes, Dependency, ObjectCache,
    Rules, Store, StoreError, Tag,
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
    let handle = layer.handle().with_rules(rules()).map_err(failed)?;
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
        .tags(named(["companies", "interviewers", "jobs", "recruiters"]))
}

pub(crate) fn recruiters() -> CacheDirective {
    CacheDirective::class("catalog").tags(named(["companies", "recruiters"]))
}

/// Shows of each job how many applied, how good they are, and how many were invited.
pub(crate) fn catalog() -> CacheDirective {
    CacheDirective::class("catalog").tags(named(["companies", "demand", "jobs"]))
}

/// Depends on everyone's profile, but only the candidate's own is worth an
/// invalidation; the rest may be five minutes old.
pub(crate) fn recommendations(candidate: i64) -> CacheDirective {
    CacheDirective::class("recommendations")
        .tag(Tag::of("candidate", candidate))
        .tags(named(["companies", "jobs"]))
}

pub(crate) fn candidate(id: i64) -> CacheDirective {
    CacheDirective::class("user-profile").tags(shown_of_candidate(id))
}

pub(crate) fn candidate_list() -> CacheDirective {
    CacheDirective::class("search").tags(named(["candidates", "jobs"]))
}

/// Of company, job and recruiter the names are shown, and who they are is not known before the candidate is
/// loaded: they change so rarely that it is not worth knowing.
fn shown_of_candidate(id: i64) -> [Tag; 4] {
    let [companies, jobs, recruiters] = named(["companies", "jobs", "recruiters"]);
    [Tag::of("candidate", id), companies, jobs, recruiters]
}

/// What shows a row that was changed, or showed it: the other side of the tags above. The kinds are those of
/// `database/triggers.rs`.
fn rules() -> Rules {
    Rules::new()
        .on("company", |_| named(["companies"]))
        .on("interviewer", |_| named(["interviewers"]))
        .on("recruiter", |_| named(["recruiters"]))
        .on("job", |_| named(["jobs"]))
        .on("configuration", |of| [Tag::of("configuration", of.id())])
        .on("candidate", |it| [Tag::of("candidate", it.id())])
        .on("candidate", |_| named(["candidates"]))
        .on("candidate", owners)
        .on("skill", |of| [Tag::of("candidate", of.id())])
        .on("skill", owners)
        .on("score", |_| named(["candidates", "demand"]))
        .on("score", owners)
        .on("interview", |_| named(["demand"]))
        .on("interview", owners)
        .on("application", |_| named(["demand"]))
        .otherwise(|_| [Dependency::everything()])
}

/// Whose dashboards show it.
fn owners(changed: &Changed) -> Vec<Tag> {
    ["company", "recruiter"]
        .into_iter()
        .flat_map(|owner| changed.values(owner).map(move |id| Tag::of(owner, id)))
        .collect()
}

fn named<const N: usize>(names: [&str; N]) -> [Tag; N] {
    names.map(Tag::new)
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
        self.candidates
            .get_or_load(("candidate", id), &shown_of_candidate(id), load)
            .await
    }

    /// Lets refreshes and writes come to their end before the application does.
    pub(crate) async fn shutdown(&self) {
        let unfinished = self.handle.shutdown(LAST_CALL).await;
        if !unfinished.is_nothing() {
            say(format_args!("the cache was not done: {unfinished:?}"));
        }
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

    /// Rows were changed: in force here at once, and everywhere when this returns `Ok`.
    ///
    /// # Errors
    ///
    /// The store cannot be told now. It will be; that is no failure of whoever made the changes.
    pub(crate) async fn changed(&self, rows: Vec<Changed>) -> Result<(), StoreError> {
        let told = self.handle.changes(rows).await;
        told.inspect_err(|error| say(format_args!("an invalidation is late: {error}")))
    }
}

/// For what is still on its way into the store when the last request is answered.
const LAST_CALL: Duration = Duration::from_secs(2);

const MINUTE: Duration = Duration::from_secs(60);

const HOUR: Duration = Duration::from_secs(60 * 60);
