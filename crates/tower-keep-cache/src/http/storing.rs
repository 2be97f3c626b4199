//! May a response be stored, and for how long (RFC 9111 §3).

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, response};
use tower_keep_store::{Target, Timestamp};

use super::{
    codes::{is_heuristically_cacheable, is_plain, may_be_stored},
    control::Control,
    entry::SharedWith,
    freshness::{Times, heuristic_lifetime, initial_age, stated_lifetime},
    labels::check_number,
    lifetime::{Lifetime, of_class, of_fields},
    refusal::Refusal,
    request::Lookup,
    storable::{
        check_content, check_control, check_identity, is_allowed_error, refused_status, shared_with,
    },
    targeted::TargetFields,
    validation::has_validator,
    vary::Variance,
    withheld::withheld,
};
use crate::{
    class::{Classes, DEFAULT_LARGEST_BODY, DEFAULT_VARIANTS, NamedClass},
    directive::{CacheDirective, MOST_TAGS},
    nesting::RouteClass,
    policy::CachePolicy,
};

/// What does not change from request to request.
#[derive(Clone, Debug)]
pub(crate) struct StoringRules {
    pub(crate) classes: Classes,
    pub(crate) policy: CachePolicy,
    /// The fields that speak to this cache in place of `Cache-Control`.
    pub(crate) targets: TargetFields,
    /// For responses that state no lifetime themselves.
    pub(crate) class: Option<Arc<NamedClass>>,
    /// Store what comes with `Set-Cookie`, without it.
    pub(crate) strip_set_cookie: bool,
    /// How long past its time a response is kept for the origin to confirm it.
    pub(crate) keep: Duration,
}

/// How a response is to be stored.
#[derive(Clone, Debug)]
pub(crate) struct StoragePlan {
    pub(crate) fresh_until: Timestamp,
    pub(crate) stale_while_revalidate: Duration,
    pub(crate) stale_if_error: Duration,
    pub(crate) early_refresh: f64,
    /// How long past its lifetime it is kept for the origin to confirm it.
    pub(crate) keep: Duration,
    /// It answers nobody before the origin has confirmed it, those who wait for it neither.
    pub(crate) always_validated: bool,
    pub(crate) initial_age: Duration,
    pub(crate) shared_with: SharedWith,
    pub(crate) variance: Option<Box<[HeaderName]>>,
    pub(crate) targets: Vec<Target>,
    pub(crate) largest_body: usize,
    pub(crate) variants: usize,
    pub(crate) first_level: bool,
    pub(crate) store: bool,
}

impl StoragePlan {
    /// What is stored is made of something that depends on these.
    pub(crate) fn depends_on_too(&mut self, targets: &[Target]) -> Result<(), Refusal> {
        self.targets.extend_from_slice(targets);
        self.targets.sort_unstable_by_key(|target| target.to_bits());
        self.targets.dedup();
        check_number(&mut self.targets)
    }
}

impl StoringRules {
    /// Decides.
    pub(crate) fn decide(
        &self,
        asked: &Lookup,
        response: &response::Parts,
        times: Times,
    ) -> Result<StoragePlan, Refusal> {
        let directive = response.extensions.get::<CacheDirective>();
        let named = directive.and_then(|directive| directive.class.as_deref());
        let named = named
            .map(|name| self.classes.get(name).ok_or(Refusal::UnknownClass))
            .transpose()?;
        let control = self.control(&response.headers);
        let route = response.extensions.get::<RouteClass>();
        let default = route.map(|route| &route.0).or(self.class.as_ref());
        let rules = named.or(default).map(|named| &named.class);
        if directive.is_some_and(|directive| directive.no_store) {
            return Err(Refusal::Directive);
        }
        if asked.no_store {
            return Err(Refusal::RequestNoStore);
        }
        // What no class is meant for, the policy may allow if its own fields do.
        let by_class = is_plain(response.status) || is_allowed_error(response.status, rules);
        let by_policy = self.policy.stores_all_statuses && may_be_stored(response.status);
        if !by_class && !by_policy {
            return Err(refused_status(response.status));
        }
        check_control(&control, response.status)?;
        check_content(&response.headers, rules, self.strip_set_cookie)?;
        let shared_with = shared_with(&control, rules, named);
        check_identity(asked.identified, shared_with)?;
        let variance = match Variance::of(&response.headers) {
            Variance::None => None,
            Variance::Fields(names) => Some(names),
            Variance::Everything | Variance::Identity => return Err(Refusal::Vary),
        };
        let lifetime = if by_class {
            self.lifetime(named, default, &control, response, times)?
        } else {
            self.lifetime(None, None, &control, response, times)?
        };
        Ok(StoragePlan {
            fresh_until: lifetime.fresh_until,
            stale_while_revalidate: lifetime.stale_while_revalidate,
            stale_if_error: lifetime.stale_if_error,
            early_refresh: rules.map_or(0.0, |class| class.early_refresh),
            keep: self.keep_of(&control, &response.headers),
            always_validated: lifetime.is_over(times),
            initial_age: initial_age(&response.headers, times),
            shared_with,
            variance,
            targets: targets(directive, named.or(default))?,
            largest_body: rules.map_or(DEFAULT_LARGEST_BODY, |class| class.largest_body),
            variants: rules.map_or(DEFAULT_VARIANTS, |class| class.variants),
            first_level: rules.is_none_or(|class| class.first_level),
            store: rules.is_none_or(|class| class.store),
        })
    }

    /// What the fields of a response say to this cache.
    pub(crate) fn control(&self, response: &HeaderMap) -> Control {
        let control = self.targets.control(response);
        match self.policy.heeds_field_names {
            true => control,
            false => control.unqualified(),
        }
    }

    /// The fields without which a response is stored.
    pub(crate) fn withheld(&self, response: &HeaderMap) -> Vec<HeaderName> {
        match self.policy.heeds_field_names {
            true => withheld(response),
            false => Vec::new(),
        }
    }

    /// A class that the handler named, else what the response's fields state, else the layer's class, else,
    /// by some policies, an estimate.
    fn lifetime(
        &self,
        named: Option<&Arc<NamedClass>>,
        default: Option<&Arc<NamedClass>>,
        control: &Control,
        response: &response::Parts,
        times: Times,
    ) -> Result<Lifetime, Refusal> {
        let headers = &response.headers;
        let stated = stated_lifetime(control, headers, times);
        let lifetime = match (named, stated, default) {
            // "MUST NOT be used to satisfy any other request without forwarding it for validation and
            // receiving a successful response" (RFC 9111 §5.2.2.4).
            _ if control.no_cache => Lifetime::none(times),
            (Some(class), _, _) | (None, None, Some(class)) => {
                of_class(&class.class, control, times)
            }
            (None, Some(stated), _) => of_fields(stated, control, headers, times),
            (None, None, None) => {
                let estimated = self.estimated_lifetime(control, response, times);
                of_fields(
                    estimated.ok_or(Refusal::NoLifetime)?,
                    control,
                    headers,
                    times,
                )
            }
        };
        if lifetime.is_over(times) && (self.keep.is_zero() || !has_validator(headers)) {
            return Err(match control.no_cache {
                true => Refusal::NoCache,
                false => Refusal::NoLifetime,
            });
        }
        Ok(lifetime)
    }

    fn keep_of(&self, control: &Control, headers: &HeaderMap) -> Duration {
        if has_validator(headers) || self.may_bridge(control) {
            self.keep
        } else {
            Duration::ZERO
        }
    }

    /// Whether what came with these directives may answer, past its time, while the origin cannot be reached.
    pub(crate) fn may_bridge(&self, control: &Control) -> bool {
        self.policy.bridges_disconnection && !control.forbids_stale()
    }

    /// RFC 9111 §4.2.2: not where a lifetime is stated, and only for statuses that are "defined as
    /// heuristically cacheable", or responses "explicitly marked as cacheable (e.g., with a public response
    /// directive)".
    fn estimated_lifetime(
        &self,
        control: &Control,
        response: &response::Parts,
        times: Times,
    ) -> Option<Duration> {
        let is_allowed = control.public || is_heuristically_cacheable(response.status);
        (self.policy.is_heuristic && is_allowed)
            .then(|| heuristic_lifetime(&response.headers, times))
            .flatten()
    }
}

fn targets(
    directive: Option<&CacheDirective>,
    class: Option<&Arc<NamedClass>>,
) -> Result<Vec<Target>, Refusal> {
    let tags = directive.map_or(&[][..], |directive| &directive.tags);
    if tags.len() > MOST_TAGS {
        return Err(Refusal::TooManyTags);
    }
    let class = class.map(|named| named.target);
    Ok(tags
        .iter()
        .map(|tag| Target::from(*tag))
        .chain(class)
        .collect())
}

#[cfg(test)]
pub(crate) mod tests;
