//! What is cached, for how long, and what makes it invalid: all in one place.

use std::{future::Future, sync::Arc};

use crate::{candidates::Candidate, http::Problem, webhook::Configuration};

#[derive(Clone, Debug)]
pub(crate) struct CacheDirective;
#[derive(Clone, Debug)]
pub(crate) struct Tag;

/// The cached values of the application.
#[derive(Clone, Debug)]
pub(crate) struct Caches;

impl Caches {
    pub(crate) async fn candidate<F>(
        &self,
        _id: i64,
        load: impl FnOnce() -> F,
    ) -> Result<Arc<Candidate>, Problem>
    where
        F: Future<Output = Result<Candidate, Problem>>,
    {
        load().await.map(Arc::new)
    }
    pub(crate) async fn write_candidate(
        &self,
        _id: i64,
        write: impl Future<Output = Result<Candidate, Problem>>,
    ) -> Result<Arc<Candidate>, Problem> {
        write.await.map(Arc::new)
    }
    pub(crate) async fn configuration<F>(
        &self,
        _company: i64,
        load: impl FnOnce() -> F,
    ) -> Result<Arc<Configuration>, Problem>
    where
        F: Future<Output = Result<Configuration, Problem>>,
    {
        load().await.map(Arc::new)
    }
    pub(crate) async fn invalidate(&self, _tags: Vec<Tag>) -> Result<(), Problem> {
        Ok(())
    }
}

pub(crate) fn dashboard(_recruiter: i64, _company: i64) -> CacheDirective {
    CacheDirective
}
pub(crate) fn recruiters() -> CacheDirective {
    CacheDirective
}
pub(crate) fn catalog() -> CacheDirective {
    CacheDirective
}
pub(crate) fn recommendations(_candidate: i64) -> CacheDirective {
    CacheDirective
}
pub(crate) fn candidate(_id: i64) -> CacheDirective {
    CacheDirective
}
pub(crate) fn candidate_list() -> CacheDirective {
    CacheDirective
}
pub(crate) fn touched_by_candidate(_before: &Candidate) -> Vec<Tag> {
    vec![]
}
pub(crate) fn touched_by_interview(_company: i64) -> Vec<Tag> {
    vec![]
}
