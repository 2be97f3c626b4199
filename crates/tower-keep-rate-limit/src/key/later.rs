//! Finding who sent a request, where that takes time.

use std::{future::Future, pin::Pin};

use http::request::Parts;

use super::{
    Key, Node,
    leaf::{Leaf, One},
    subject::Subject,
};

/// What a key that takes time has found in a request.
#[derive(Debug)]
pub(crate) enum Later {
    /// Who sent it.
    Present(Subject),
    /// Nothing: the request does not say.
    Missing,
    /// Somebody who is not limited.
    Exempt,
}

/// A whole key's or a part's answer: known at once, or not.
enum Step {
    Now(Later),
    Then(Pin<Box<dyn Future<Output = Later> + Send>>),
}

impl Key {
    /// Whether a part of it is an asynchronous function.
    pub(crate) fn is_async(&self) -> bool {
        match &*self.0 {
            Node::AsyncFunction(_) => true,
            Node::And(first, second) | Node::Or(first, second) => {
                first.is_async() || second.is_async()
            }
            _ => false,
        }
    }

    /// Who sent the request. Functions have been called when this returns; asynchronous ones wait
    /// when it is polled.
    pub(crate) fn find_later(
        &self,
        request: &Parts,
    ) -> Pin<Box<dyn Future<Output = Later> + Send>> {
        match self.step(request) {
            Step::Now(later) => Box::pin(async { later }),
            Step::Then(future) => future,
        }
    }

    fn step(&self, request: &Parts) -> Step {
        match &*self.0 {
            Node::AsyncFunction(function) => {
                let answer = function(request);
                Step::Then(Box::pin(async move {
                    let bytes = answer.await;
                    Later::from(One::from(bytes.map(|bytes| Leaf::Custom(bytes.into()))))
                }))
            }
            Node::And(first, second) => first.step(request).and(second.step(request)),
            Node::Or(first, second) => first.step(request).or(|| second.step(request)),
            node => Step::Now(node.find_one(request).into()),
        }
    }
}

impl Step {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Now(first), Self::Now(second)) => Self::Now(first.and(second)),
            (first, second) => Self::Then(Box::pin(async move {
                let first = first.finish().await;
                first.and(second.finish().await)
            })),
        }
    }

    fn or(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Now(Later::Missing) => other(),
            Self::Now(found) => Self::Now(found),
            Self::Then(future) => {
                // The request is not there any more when the first is known to be missing.
                let other = other();
                Self::Then(Box::pin(async move {
                    match future.await {
                        Later::Missing => other.finish().await,
                        found => found,
                    }
                }))
            }
        }
    }

    async fn finish(self) -> Later {
        match self {
            Self::Now(later) => later,
            Self::Then(future) => future.await,
        }
    }
}

impl Later {
    /// Whoever is not limited as one is not limited as both, whatever else is missing.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Exempt, _) | (_, Self::Exempt) => Self::Exempt,
            (Self::Present(first), Self::Present(second)) => Self::Present(first.and(second)),
            (Self::Missing, _) | (_, Self::Missing) => Self::Missing,
        }
    }
}

impl From<One<'_>> for Later {
    fn from(one: One<'_>) -> Self {
        match one {
            One::Present(leaf) => Self::Present(leaf.into()),
            One::Missing => Self::Missing,
            One::Exempt => Self::Exempt,
        }
    }
}
