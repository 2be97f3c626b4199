//! What all services of a layer share.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, request::Parts};
use quick_cache::sync::Cache;
use tower_keep_store::{Consistency, Timestamp, Verdict};

use crate::{
    engine::{
        Engine, Present,
        entry::{Entry, Usability},
        timeouts::Timeouts,
    },
    http::{
        demands::Demands,
        entry::{SharedWith, Stored, StoredResponse},
        key::KeyRules,
        labels::{Hidden, LabelRules},
        reporter::Reporter,
        request::{Identified, Lookup},
        storing::StoringRules,
        vary::variant_of,
    },
};

pub(crate) type Predicate = dyn Fn(&Parts) -> bool + Send + Sync;

#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) engine: Arc<Engine<Stored>>,
    /// Keys whose responses cannot be shared, and until when that is remembered. Our own experience, and
    /// so not a matter of the log.
    pub(crate) unshared: Arc<Cache<Box<[u8]>, Timestamp>>,
    pub(crate) keys: KeyRules,
    pub(crate) storing: StoringRules,
    pub(crate) labels: LabelRules,
    /// Fields that clients do not get to see.
    pub(crate) hidden: Hidden,
    pub(crate) status: Reporter,
    pub(crate) bypass: Option<Arc<Predicate>>,
    /// Whose demands are heeded, if not those of all.
    pub(crate) heeded: Option<Arc<Predicate>>,
    pub(crate) entity_tags: bool,
    pub(crate) invalidate_on_unsafe: bool,
    pub(crate) first_level_bytes: u64,
    pub(crate) consistency: Consistency,
    /// Of the origin, where its class does not say otherwise.
    pub(crate) timeouts: Timeouts,
    /// That of routes without a class.
    pub(crate) lease: Option<Duration>,
    /// How long one request waits for another's fetch.
    pub(crate) patience: Duration,
}

/// What the first level knows of a request.
#[derive(Debug)]
pub(crate) struct Found {
    /// The key of the variant that the request selects, or of the resource if it has none.
    pub(crate) key: Vec<u8>,
    /// The key of the resource, where it is another one.
    pub(crate) resource: Option<Vec<u8>>,
    pub(crate) state: State,
}

#[derive(Debug)]
pub(crate) enum State {
    Absent,
    Present(Arc<Entry<Stored>>, Usability),
}

impl Found {
    pub(crate) fn resource(&self) -> &[u8] {
        self.resource.as_deref().unwrap_or(&self.key)
    }

    pub(crate) fn is_variant(&self) -> bool {
        self.resource.is_some()
    }
}

impl Shared {
    /// Looks a resource's key up in the first level, and on to the variant that the request selects.
    pub(crate) fn find(
        &self,
        key: Vec<u8>,
        headers: &HeaderMap,
        demands: &Demands,
        now: Present,
    ) -> Found {
        let mut found = self.find_any(key, headers, now);
        if let State::Present(entry, usability) = &mut found.state {
            *usability = self.judge(entry, *usability, demands, now.time);
        }
        found
    }

    /// How a request that demands this may use the entry.
    pub(crate) fn judge(
        &self,
        entry: &Entry<Stored>,
        usability: Usability,
        demands: &Demands,
        now: Timestamp,
    ) -> Usability {
        match entry.value.response() {
            Some(stored) if !demands.is_none() => {
                let may_be_stale = || self.may_be_stale(entry, stored);
                demands.judge(stored, &entry.meta, usability, now, may_be_stale)
            }
            _ => usability,
        }
    }

    /// Whether it may answer, past its time, whoever is content with that.
    fn may_be_stale(&self, entry: &Entry<Stored>, stored: &StoredResponse) -> bool {
        let verdict = self
            .engine
            .log()
            .verdict(entry.meta.stamp, &entry.meta.targets);
        verdict == Verdict::Valid && !self.storing.control(&stored.headers).forbids_stale()
    }

    /// Whether it may answer, past its time, whoever would ask an origin that cannot be reached.
    pub(crate) fn may_bridge(&self, entry: &Entry<Stored>) -> bool {
        let storing = &self.storing;
        let stored = entry.value.response();
        stored.is_some_and(|stored| storing.may_bridge(&storing.control(&stored.headers)))
    }

    fn find_any(&self, key: Vec<u8>, headers: &HeaderMap, now: Present) -> Found {
        let Some((entry, usability)) = self.engine.first(&key, now) else {
            return Found {
                key,
                resource: None,
                state: State::Absent,
            };
        };
        match &entry.value {
            Stored::Response(_) => Found {
                key,
                resource: None,
                state: State::Present(entry, usability),
            },
            Stored::Variants(variants) => {
                let variant = variant_key(&key, &self.variant_of(&variants.names, headers));
                let state = match self.engine.first(&variant, now) {
                    Some((entry, usability)) => match entry.value {
                        Stored::Response(_) => State::Present(entry, usability),
                        Stored::Variants(_) => State::Absent,
                    },
                    None => State::Absent,
                };
                Found {
                    key: variant,
                    resource: Some(key),
                    state,
                }
            }
        }
    }

    /// Whether a request asks for the end of the log first.
    pub(crate) fn catches_up(&self) -> bool {
        self.consistency == Consistency::Strict && !self.engine.store().is_embedded()
    }

    /// Which variant a request selects.
    pub(crate) fn variant_of(&self, names: &[HeaderName], request: &HeaderMap) -> [u8; 16] {
        variant_of(names, request, self.storing.policy.normalising)
    }

    /// Remembers for a while that responses under this flight's key cannot be shared.
    pub(crate) fn mark_unshared(&self, flight: &[u8]) {
        self.unshared
            .insert(flight.into(), self.engine.now() + UNSHARED_FOR);
    }

    /// Whether requests under this flight's key should not wait for one another.
    pub(crate) fn is_unshared(&self, flight: &[u8]) -> bool {
        let until = self.unshared.get(flight);
        until.is_some_and(|until| self.engine.now() < until)
    }

    /// How long the origin may take for what is to replace this.
    pub(crate) fn timeouts(&self, known: Option<&Entry<Stored>>) -> Timeouts {
        let classes = &self.storing.classes;
        let class = known.and_then(|known| classes.of(&known.meta.targets));
        let class = class.or(self.storing.class.as_ref());
        let timeouts = class.map(|named| named.class.timeouts);
        timeouts.unwrap_or_default().or(self.timeouts)
    }

    /// The lookup without what this client may not demand.
    pub(crate) fn heeded(&self, mut lookup: Lookup, request: &Parts) -> Lookup {
        if !lookup.demands.is_none()
            && let Some(heeded) = &self.heeded
            && !heeded(request)
        {
            lookup.demands = Demands::default();
        }
        lookup
    }

    /// For how long a process may fetch for all without being heard of; none if each fetches for itself.
    pub(crate) fn lease(&self) -> Option<Duration> {
        match &self.storing.class {
            Some(named) => named.class.lease,
            None => self.lease,
        }
    }

    pub(crate) fn bypasses(&self, request: &Parts) -> bool {
        self.bypass.as_ref().is_some_and(|bypass| bypass(request))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("engine", &self.engine)
            .field("keys", &self.keys)
            .field("storing", &self.storing)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl Stored {
    pub(crate) fn response(&self) -> Option<&StoredResponse> {
        match self {
            Self::Response(response) => Some(response),
            Self::Variants(_) => None,
        }
    }
}

impl SharedWith {
    /// Whether a response may answer who says this of himself.
    pub(crate) fn admits(self, identified: Identified) -> bool {
        (self.cookie || !identified.cookie) && (self.authorization || !identified.authorization)
    }
}

/// The key of one variant of a resource.
pub(crate) fn variant_key(resource: &[u8], digest: &[u8; 16]) -> Vec<u8> {
    let mut key = Vec::with_capacity(resource.len() + 17);
    key.extend_from_slice(resource);
    key.push(b'v');
    key.extend_from_slice(digest);
    key
}

/// The key of what is stored of a response's parts, beside the key of the whole.
pub(crate) fn part_key(key: &[u8]) -> Vec<u8> {
    let mut part = Vec::with_capacity(key.len() + 1);
    part.extend_from_slice(key);
    part.push(b'p');
    part
}

/// The key under which requests of this sort wait for one another. Those who say who they are do not
/// make the others wait for an answer that may be meant for one alone.
pub(crate) fn flight_key<'a>(key: &'a [u8], lookup: &Lookup) -> Cow<'a, [u8]> {
    if !lookup.identified.at_all() {
        return key.into();
    }
    let mut flight = key.to_vec();
    flight.push(b'i');
    flight.push(u8::from(lookup.identified.cookie));
    flight.push(u8::from(lookup.identified.authorization));
    // What is refused to these is not refused to visitors with a cookie.
    flight.push(u8::from(lookup.identified.user));
    flight.into()
}

/// How long it is remembered that responses to a key cannot be shared.
const UNSHARED_FOR: Duration = Duration::from_secs(10);

/// Keys of which that is remembered.
pub(crate) const MOST_UNSHARED: usize = 4096;
