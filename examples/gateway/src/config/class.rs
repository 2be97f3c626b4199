//! Lifetimes.

use serde::Deserialize;
use tower_keep::Class;

use super::Span;

/// How one class of responses is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassConfig {
    /// How long they are fresh from when they came here, where the origin says nothing of it. `Age` counts from when they
    /// were made, and so may be more.
    pub fresh_for: Span,
    /// How long after that they may answer while one request refreshes them.
    pub stale_while_revalidate: Option<Span>,
    /// How long after that they may answer in place of an error of the origin.
    pub stale_if_error: Option<Span>,
    /// The largest part of the lifetime by which it is shortened at random: 0 to 0.9.
    pub jitter: Option<f64>,
    /// How early what is still fresh is fetched anew in the background, as a multiple of what fetching it took. 0: not
    /// at all. Default: 1.
    pub early_refresh: Option<f64>,
    /// How long the origin may take where something stale may answer. Default: `timeouts.soft`.
    pub soft_timeout: Option<Span>,
    /// How long the origin may take at all. Default: `timeouts.response`.
    pub hard_timeout: Option<Span>,
    /// One fetch for all gateways that share the store: for so long the others wait before they take over from one
    /// that was killed. At least 250 ms. Default: each fetches for itself.
    pub lease: Option<Span>,
    /// Bytes; larger bodies pass through.
    pub largest_body: Option<usize>,
    /// Variants (`Vary`) of one resource.
    pub variants: Option<usize>,
    /// Whether they are kept in this process.
    pub first_level: Option<bool>,
    /// Whether they are kept in the store.
    pub store: Option<bool>,
    /// Whether 404 and 410 are kept.
    pub errors: Option<bool>,
    /// Whether they are the same for all cookies.
    #[serde(default)]
    pub allow_cookies: bool,
}

impl ClassConfig {
    /// What the cache does not know is how long the origin may take at most.
    pub(super) fn check(&self, response: Span) -> Result<(), &'static str> {
        let is_late = |time: Option<Span>| time.is_some_and(|time| time.0 >= response.0);
        if is_late(self.soft_timeout) {
            return Err("its soft_timeout is not shorter than timeouts.response");
        }
        if is_late(self.hard_timeout) {
            return Err("its hard_timeout is not shorter than timeouts.response");
        }
        Ok(())
    }

    pub(crate) fn class(&self) -> Class {
        let class = Class::fresh_for(self.fresh_for.0);
        let class = said(class, self.stale_while_revalidate, |class, span| {
            class.stale_while_revalidate(span.0)
        });
        let class = said(class, self.stale_if_error, |class, span| {
            class.stale_if_error(span.0)
        });
        let class = said(class, self.jitter, Class::jitter);
        let class = said(class, self.early_refresh, Class::early_refresh);
        let class = said(class, self.soft_timeout, |class, span| {
            class.soft_timeout(span.0)
        });
        let class = said(class, self.hard_timeout, |class, span| {
            class.hard_timeout(span.0)
        });
        let class = said(class, self.lease, |class, span| class.lease(span.0));
        let class = said(class, self.largest_body, Class::largest_body);
        let class = said(class, self.variants, Class::variants);
        let class = said(class, self.first_level, Class::first_level);
        let class = said(class, self.store, Class::store);
        let class = said(class, self.errors, Class::errors);
        if self.allow_cookies {
            class.allow_cookies()
        } else {
            class
        }
    }
}

fn said<T>(class: Class, value: Option<T>, set: impl FnOnce(Class, T) -> Class) -> Class {
    match value {
        Some(value) => set(class, value),
        None => class,
    }
}
