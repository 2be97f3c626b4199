//! What a layer's clones, its services and its handle share.

use std::{
    hash::BuildHasher,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use foldhash::fast::RandomState;
use http::{HeaderMap, Uri, header::HOST};
use tower_keep_store::{Clock, Evictions, Lookup, Observer, Outcome, Told};

use crate::{
    class::Class,
    classes::{ClassId, Classes},
    cluster::Peers,
    counts::is_lookup,
    curve::Advice,
    hot_keys::{Hot, HotKeys},
    kind::Kind,
    label::Found,
    line,
    rules::Rules,
    seat::Sum,
    simulations::{Counted, Question, Simulations},
    ticker::Ticker,
};

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Monitor {
    pub(crate) rules: Rules,
    pub(crate) ticker: Ticker,
    pub(crate) classes: Classes,
    /// Those that may be told by name: a name is there only while its request is.
    named_keys: Option<Mutex<HotKeys>>,
    /// What this process has let go of.
    pub(crate) evictions: Arc<Evictions>,
    pub(crate) simulations: Simulations,
    pub(crate) peers: Peers,
    hasher: RandomState,
    begun: Sum,
    ended: Sum,
}

/// The class of a request that has come.
#[derive(Debug, Default)]
pub(crate) enum Membership {
    #[default]
    Unmatched,
    Known(ClassId),
    /// A method that nobody has answered for yet.
    Claimed(Box<str>),
}

impl Monitor {
    pub(crate) fn new(clock: &Clock, evictions: Arc<Evictions>, rules: Rules) -> Self {
        Self {
            ticker: Ticker::new(clock),
            classes: Classes::new(),
            named_keys: rules.named_keys.then(|| Mutex::new(HotKeys::new(true))),
            evictions,
            simulations: Simulations::new(),
            peers: Peers::new(),
            hasher: RandomState::default(),
            begun: Sum::default(),
            ended: Sum::default(),
            rules,
        }
    }

    /// Requests that came so far, and those of them that are not over.
    pub(crate) fn requests(&self) -> (u64, u64) {
        // In this order what is under way is never less than none.
        let ended = self.ended.load();
        let begun = self.begun.load();
        (begun, begun.saturating_sub(ended))
    }

    #[inline]
    pub(crate) fn begin(&self) {
        self.begun.add_one();
    }

    #[inline]
    pub(crate) fn end(&self) {
        self.ended.add_one();
    }

    /// Names the request's class, without an allocation if it is known.
    #[inline]
    pub(crate) fn classify(&self, found: Found<'_>, now: u64) -> Membership {
        match found {
            Found::Label(label) if label.is_empty() => Membership::Unmatched,
            Found::Label(label) => Membership::Known(self.make(Kind::Http, &label, now)),
            Found::Claimed(method) => match self.classes.find(method) {
                Some(id) => Membership::Known(id),
                None => Membership::Claimed(method.into()),
            },
            Found::Nothing => Membership::Unmatched,
        }
    }

    /// Hashes what the request asks for, and counts it among the keys.
    #[inline]
    pub(crate) fn key(&self, uri: &Uri, headers: &HeaderMap, now: u64) -> u64 {
        let host = match uri.authority() {
            Some(authority) => Some(authority.as_str().as_bytes()),
            None => headers.get(HOST).map(http::HeaderValue::as_bytes),
        };
        let target = (host, uri.path(), uri.query());
        let key = self.hasher.hash_one(target);
        // A request waits for nobody: where others are at them, it is not counted.
        if let Some(named) = &self.named_keys
            && let Ok(mut named) = named.try_lock()
        {
            let name = uri.path_and_query();
            named.offer(key, name.map_or("", |name| name.as_str()), now);
        }
        key
    }

    /// The class of a label, made if there is room for it.
    pub(crate) fn make(&self, kind: Kind, label: &str, now: u64) -> ClassId {
        self.classes.find_or_make(kind, label, now, &self.rules)
    }

    #[inline]
    pub(crate) fn class(&self, id: ClassId, now: u64) -> &Class {
        self.classes.get(id, now, &self.rules)
    }

    #[inline]
    pub(crate) fn count(&self, id: ClassId, told: Told, now: u64) {
        let class = self.class(id, now);
        if class.count(told, now, &self.rules) {
            line::write(class, now, &self.rules);
        }
    }

    /// Notes the size of a body that the origin sent, and that a cache would hold.
    #[inline]
    pub(crate) fn measure(&self, outcome: Outcome, bytes: u64) {
        if matches!(outcome, Outcome::Miss | Outcome::Bypass) && bytes > 0 {
            self.simulations.weigh(bytes);
        }
    }

    /// Asks what other lifetimes and other sizes would have answered, and counts the key.
    #[inline]
    pub(crate) fn ask(&self, mut question: Question) {
        question.is_request &= self.named_keys.is_none();
        if question.is_request || question.is_cacheable {
            self.simulations.ask(question, self.counted());
        }
    }

    /// Answers all that was asked so far of other lifetimes, and tells of other sizes.
    pub(crate) fn advice(&self) -> Advice {
        self.simulations.catch_up(self.counted())
    }

    /// To be called after that.
    pub(crate) fn hot_keys(&self, most: usize, now: u64) -> Vec<Hot> {
        match &self.named_keys {
            Some(named) => {
                let mut named = named.lock().unwrap_or_else(PoisonError::into_inner);
                named.top(most, now)
            }
            None => self.simulations.hot_keys(most, now),
        }
    }

    fn counted(&self) -> Counted<'_> {
        Counted(&self.classes, &self.rules)
    }
}

/// Lookups that are no requests.
impl Observer for Monitor {
    fn observe(&self, lookup: &Lookup<'_>) {
        let Some(kind) = Kind::of(lookup.kind) else {
            return;
        };
        let now = self.ticker.now();
        let id = self.make(kind, lookup.class, now);
        self.count(id, lookup.told, now);
        if kind.is_cache() && is_lookup(lookup.told.outcome) {
            self.ask(Question {
                key: lookup.key,
                class: id,
                now,
                is_request: false,
                is_cacheable: true,
            });
        }
        let took = nanos(lookup.took);
        let class = self.class(id, now);
        class.weigh(lookup.told, 0);
        class.time(lookup.told, took, took);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
