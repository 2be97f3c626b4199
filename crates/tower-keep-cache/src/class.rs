//! Lifetimes by class of data, in one place.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tower_keep_store::{ConfigError, Target, Timestamp};

use crate::{dependency::class_target, engine::timeouts::Timeouts};

/// How one class of data is kept.
///
/// ```
/// use std::time::Duration;
/// use tower_keep_cache::Class;
///
/// let catalog = Class::fresh_for(Duration::from_secs(30 * 60))
///     .stale_while_revalidate(Duration::from_secs(60))
///     .stale_if_error(Duration::from_secs(3600));
/// # let _ = catalog;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Class {
    pub(crate) fresh_for: Duration,
    pub(crate) stale_while_revalidate: Duration,
    pub(crate) stale_if_error: Duration,
    pub(crate) jitter: f64,
    pub(crate) early_refresh: f64,
    pub(crate) timeouts: Timeouts,
    pub(crate) largest_body: usize,
    pub(crate) variants: usize,
    pub(crate) first_level: bool,
    pub(crate) store: bool,
    pub(crate) lease: Option<Duration>,
    pub(crate) errors: bool,
    pub(crate) cookies: bool,
}

impl Class {
    /// Data that is fresh for this long. There is no class without an end.
    ///
    /// It begins when the response came here, or a value was loaded, and anew when the origin confirms it (304). How
    /// old a response was by then does not count: a class is for what states no lifetime, and `Age` shortens only
    /// one that the origin stated. It is sent all the same, and counts from where the response was made: a hit that
    /// passed another cache on its way here may say `Age: 100` in a class of a minute, and `ttl=60` beside it.
    pub fn fresh_for(lifetime: Duration) -> Self {
        Self {
            fresh_for: lifetime,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            jitter: 0.0,
            early_refresh: 1.0,
            timeouts: Timeouts::default(),
            largest_body: DEFAULT_LARGEST_BODY,
            variants: DEFAULT_VARIANTS,
            first_level: true,
            store: true,
            lease: None,
            errors: false,
            cookies: false,
        }
    }

    /// How long after its lifetime an entry may still answer while one request refreshes it in the
    /// background (RFC 5861 §3). Default: zero.
    pub fn stale_while_revalidate(mut self, window: Duration) -> Self {
        self.stale_while_revalidate = window;
        self
    }

    /// How long after its lifetime an entry may answer in place of an error of the origin (RFC 5861
    /// §4). Default: zero.
    pub fn stale_if_error(mut self, window: Duration) -> Self {
        self.stale_if_error = window;
        self
    }

    /// Shortens each lifetime by a random part of at most this fraction, so that entries stored
    /// together do not end together. Default: 0; at most 0.9.
    pub fn jitter(mut self, fraction: f64) -> Self {
        self.jitter = fraction;
        self
    }

    /// How early an entry that is still fresh is refreshed in the background: by one of those who ask for it,
    /// drawn by lot, about as long before its end as it took to fetch, times `beta`; the busier, the earlier
    /// (XFetch), but never in the first half of its lifetime. So nobody waits at its end. Default: 1, which is
    /// best if a refresh takes as long as the fetch before it. Zero: not at all; more than 1: earlier.
    ///
    /// What was measured counts, so an origin that is fast is asked hardly more often. Values that were
    /// [put](crate::ObjectCache::put) have no cost, and are not refreshed early.
    pub fn early_refresh(mut self, beta: f64) -> Self {
        self.early_refresh = beta;
        self
    }

    /// How long the origin may take where something stale could answer, within
    /// [`stale_if_error`](Self::stale_if_error): after that it does, and the fetch goes on in the background.
    /// Default: that of the [layer](crate::CacheLayerBuilder::soft_timeout), which is none.
    ///
    /// Who waits for the fetch of another, here or in another process, waits no longer either.
    ///
    /// Of responses it holds for what is stored with this class already. In an [`ObjectCache`](crate::ObjectCache), for loads that can
    /// [go on alone](crate::ObjectCache::get_or_refresh).
    pub fn soft_timeout(mut self, time: Duration) -> Self {
        self.timeouts.soft = Some(time);
        self
    }

    /// How long the origin may take to the head of its response: then the fetch ends. What is stale answers,
    /// within [`stale_if_error`](Self::stale_if_error); else the client gets 504, and so do those who waited for
    /// it. Default: that of the [layer](crate::CacheLayerBuilder::hard_timeout), which is none. Where nothing is
    /// stored yet, it holds if the class is that of the layer.
    ///
    /// In an [`ObjectCache`](crate::ObjectCache) it ends a load only if something stale can answer: what error
    /// it would be else, only the loader knows. Put a time-out into the loader for that.
    pub fn hard_timeout(mut self, time: Duration) -> Self {
        self.timeouts.hard = Some(time);
        self
    }

    /// Bodies longer than this many bytes pass through and are not stored. Default: 1 MiB.
    pub fn largest_body(mut self, bytes: usize) -> Self {
        self.largest_body = bytes;
        self
    }

    /// How many variants (`Vary`) of one resource are kept; a further one takes the place of the
    /// oldest. Default: 16.
    pub fn variants(mut self, most: usize) -> Self {
        self.variants = most;
        self
    }

    /// Whether entries are kept in this process. Default: yes.
    pub fn first_level(mut self, on: bool) -> Self {
        self.first_level = on;
        self
    }

    /// Whether entries are kept in the store, where other processes find them. Default: yes.
    pub fn store(mut self, on: bool) -> Self {
        self.store = on;
        self
    }

    /// One fetch for all processes that share the store: what is in neither level is fetched by the one that
    /// has its lease, and the others wait for that, for at most the patience. Default: none; each process
    /// fetches for itself.
    ///
    /// A lease is prolonged while its owner lives and fetches, three times in its length. So the length says
    /// only how long the others wait before they take over from a process that was killed, and how long a
    /// stall of a process, or of the store, may last before it is taken for a death, which costs a call.
    /// Two seconds is a good choice: it bears a stall of 1.3 s. At least 250 ms.
    ///
    /// It costs a round trip before each fetch, and is worth that where a fetch costs much more. For a
    /// response it counts if it is the class of the layer that looks it up: which one the handler names, or a
    /// route within that layer, is known only when it has been fetched. (Routes of their own class each take a
    /// layer of it, side by side.)
    pub fn lease(mut self, length: Duration) -> Self {
        self.lease = Some(length);
        self
    }

    /// Whether 404 and 410 are stored. Default: no.
    pub fn errors(mut self, on: bool) -> Self {
        self.errors = on;
        self
    }

    /// Declares that responses do not depend on the request's cookies, so that requests with a
    /// `Cookie` field are answered from the cache and may fill it. Default: no; then only responses
    /// that say `public` or `s-maxage` are shared with them, and to all others a browser that has any
    /// cookie is told `fwd=bypass`. Says nothing of `Authorization`; and a response for which a session
    /// was looked at is not stored all the same. One whose handler was told which user asks is stored if the
    /// handler itself [names](crate::CacheDirective::class) the class.
    pub fn allow_cookies(mut self) -> Self {
        self.cookies = true;
        self
    }

    /// The lifetime of an entry stored now. Spread by the low digits of the clock: no two fetches end in
    /// the same microsecond, and nothing depends on the spread being unpredictable.
    pub(crate) fn jittered(&self, now: Timestamp) -> Duration {
        if self.jitter == 0.0 {
            return self.fresh_for;
        }
        let scrambled = now.as_micros().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11;
        let fraction = scrambled as f64 / (1_u64 << 53) as f64;
        self.fresh_for.mul_f64(1.0 - self.jitter * fraction)
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.fresh_for.is_zero() {
            return Err("it is never fresh");
        }
        if !(0.0..=0.9).contains(&self.jitter) {
            return Err("its jitter is not between 0 and 0.9");
        }
        if !self.early_refresh.is_finite() || self.early_refresh < 0.0 {
            return Err("its early refresh is negative, or no number");
        }
        self.timeouts.check()?;
        if self.largest_body == 0 {
            return Err("its largest body is empty");
        }
        if self.variants == 0 {
            return Err("it allows no variant");
        }
        if !self.first_level && !self.store {
            return Err("it is kept nowhere: both levels are off");
        }
        if self.lease.is_some_and(|lease| lease < SHORTEST_LEASE) {
            return Err("its lease is under 250 ms, too short to be prolonged in time");
        }
        if self.lease.is_some() && !self.store {
            return Err("it has a lease, and is not kept in the store");
        }
        Ok(())
    }
}

/// The registry of classes: every lifetime of an application in one table.
///
/// ```
/// use std::time::Duration;
/// use tower_keep_cache::{Class, Classes};
///
/// const MINUTE: Duration = Duration::from_secs(60);
///
/// let classes = Classes::new()
///     .class("merchant-config", Class::fresh_for(24 * 60 * MINUTE))
///     .class("user-profile", Class::fresh_for(60 * MINUTE))
///     .class("catalog", Class::fresh_for(30 * MINUTE))
///     .class("recommendations", Class::fresh_for(5 * MINUTE))
///     .class("search", Class::fresh_for(2 * MINUTE))
///     .class("dashboard-statistics", Class::fresh_for(MINUTE));
/// # let _ = classes;
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Classes {
    named: HashMap<Arc<str>, Arc<NamedClass>>,
    twice: Option<Arc<str>>,
}

/// A class and the name under which it is registered.
#[derive(Debug)]
pub(crate) struct NamedClass {
    pub(crate) name: Arc<str>,
    pub(crate) class: Class,
    /// What all its entries depend on.
    pub(crate) target: Target,
}

impl Classes {
    /// No classes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a class. Faults are found when the cache is built.
    pub fn class(mut self, name: impl Into<Arc<str>>, class: Class) -> Self {
        let name = name.into();
        let named = NamedClass {
            target: class_target(&name),
            name: name.clone(),
            class,
        };
        if self.named.insert(name.clone(), Arc::new(named)).is_some() {
            self.twice = Some(name);
        }
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<NamedClass>> {
        self.named.get(name)
    }

    /// The class of what depends on these.
    pub(crate) fn of(&self, targets: &[Target]) -> Option<&Arc<NamedClass>> {
        let mut classes = self.named.values();
        classes.find(|class| targets.contains(&class.target))
    }

    pub(crate) fn have_leases(&self) -> bool {
        self.named.values().any(|named| named.class.lease.is_some())
    }

    pub(crate) fn check(&self, first_level_bytes: u64) -> Result<(), ConfigError> {
        if let Some(name) = &self.twice {
            return Err(ConfigError::new(format!(
                "the class {name:?} is given twice"
            )));
        }
        for NamedClass { name, class, .. } in self.named.values().map(|class| &**class) {
            class
                .check()
                .map_err(|fault| ConfigError::new(format!("the class {name:?}: {fault}")))?;
            if class.first_level && class.largest_body as u64 > first_level_bytes / 8 {
                return Err(ConfigError::new(format!(
                    "the class {name:?}: its largest body is over an eighth of the first level"
                )));
            }
        }
        Ok(())
    }
}

/// What is said of a class that there is not.
pub(crate) fn unknown_class(name: &str) -> ConfigError {
    ConfigError::new(format!("there is no class {name:?}"))
}

/// Three deadlines of the store, and some time to spare.
pub(crate) const SHORTEST_LEASE: Duration = Duration::from_millis(250);

pub(crate) const DEFAULT_LARGEST_BODY: usize = 1 << 20;
pub(crate) const DEFAULT_VARIANTS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_named() {
        let hour = || Class::fresh_for(Duration::from_secs(3600));
        for (class, fault) in [
            (Class::fresh_for(Duration::ZERO), "never fresh"),
            (hour().jitter(f64::NAN), "jitter"),
            (hour().jitter(0.95), "jitter"),
            (hour().early_refresh(-1.0), "early refresh"),
            (hour().early_refresh(f64::NAN), "early refresh"),
            (hour().hard_timeout(Duration::ZERO), "hard time-out is zero"),
            (
                hour()
                    .soft_timeout(Duration::from_secs(2))
                    .hard_timeout(Duration::from_secs(2)),
                "not shorter",
            ),
            (hour().largest_body(0), "empty"),
            (hour().largest_body(64 << 20), "eighth"),
            (hour().variants(0), "no variant"),
            (hour().first_level(false).store(false), "both levels"),
            (hour().lease(Duration::from_millis(100)), "250 ms"),
            (hour().lease(Duration::from_secs(2)).store(false), "a lease"),
        ] {
            let error = Classes::new()
                .class("c", class)
                .check(64 << 20)
                .expect_err(fault);
            let said = error.to_string();
            assert!(said.contains("\"c\"") && said.contains(fault), "{said}");
        }
        let twice = Classes::new().class("c", hour()).class("c", hour());
        assert!(
            twice
                .check(64 << 20)
                .expect_err("twice")
                .to_string()
                .contains("twice")
        );
        assert!(Classes::new().class("c", hour()).check(64 << 20).is_ok());
    }

    #[test]
    fn jitter_only_shortens_and_stays_within_its_fraction() {
        let hour = Duration::from_secs(3600);
        let class = Class::fresh_for(hour).jitter(0.1);
        let mut seen = std::collections::HashSet::new();
        for i in 0..1000 {
            let lifetime = class.jittered(Timestamp::from_micros(1_700_000_000_000_000 + i));
            assert!(lifetime <= hour && lifetime >= hour.mul_f64(0.9));
            seen.insert(lifetime.as_secs());
        }
        assert!(seen.len() > 100);
        assert_eq!(
            Class::fresh_for(hour).jittered(Timestamp::from_secs(1)),
            hour
        );
    }
}
