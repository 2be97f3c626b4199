//! Lookups that are no requests, told to whoever counts them.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, PoisonError, RwLock, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{
    clock::Clock,
    outcome::{Outcome, Told},
};

/// Hears of every lookup on a store, of whatever kind; see [`Store::observe`](crate::Store::observe).
///
/// It is called by whoever looks something up, and should be done in less than a microsecond.
pub trait Observer: Send + Sync {
    /// A lookup is over.
    fn observe(&self, lookup: &Lookup<'_>);
}

/// A lookup that is over.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Lookup<'a> {
    /// What was looked up.
    pub kind: LookupKind,
    /// What the lookups of a kind are told apart by.
    pub class: &'a str,
    /// A hash of the key: the same for the same key, in this process.
    pub key: u64,
    /// What became of it, and what is known of the origin.
    pub told: Told,
    /// How long it took, the origin's time included.
    pub took: Duration,
}

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LookupKind {
    /// Values of an object cache, by the cache's class.
    Objects,
    /// Sessions. They have no origin: one that is not found is a miss.
    Sessions,
}

/// A lookup under way. Dropped before it is [told](Self::tell), it was cancelled, or has panicked.
pub struct Watch<'a> {
    observers: &'a Observers,
    clock: &'a Clock,
    kind: LookupKind,
    class: &'a str,
    key: u64,
    began: Duration,
    calls: u8,
    is_told: bool,
}

impl Watch<'_> {
    /// The origin is about to be called; that counts even if the lookup is cancelled meanwhile.
    pub fn calls_origin(&mut self) {
        self.calls = self.calls.saturating_add(1);
    }

    /// The lookup is over.
    pub fn tell(mut self, told: Told) {
        self.is_told = true;
        self.pass_on(told);
    }

    fn pass_on(&self, told: Told) {
        self.observers.tell(&Lookup {
            kind: self.kind,
            class: self.class,
            key: self.key,
            told,
            took: self.clock.passed().saturating_sub(self.began),
        });
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if self.is_told {
            return;
        }
        let outcome = if thread::panicking() {
            Outcome::Error
        } else {
            Outcome::Cancelled
        };
        self.pass_on(Told::from(outcome).origin_calls(self.calls));
    }
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("kind", &self.kind)
            .field("class", &self.class)
            .finish_non_exhaustive()
    }
}

/// Whoever observes a store. They are held weakly: one that is gone is forgotten at the next lookup, or when
/// another comes.
#[derive(Default)]
pub(crate) struct Observers {
    count: AtomicUsize,
    /// Never changed in place: whoever tells holds no lock meanwhile, so that an observer may use the store.
    list: RwLock<Arc<[Weak<dyn Observer>]>>,
    hasher: RandomState,
}

impl Observers {
    pub(crate) fn add(&self, observer: &Arc<dyn Observer>) {
        self.change([Arc::downgrade(observer)]);
    }

    /// Nothing, if nobody observes: that costs one load.
    pub(crate) fn watch<'a>(
        &'a self,
        clock: &'a Clock,
        kind: LookupKind,
        class: &'a str,
        key: &[u8],
    ) -> Option<Watch<'a>> {
        (self.count.load(Ordering::Relaxed) > 0).then(|| Watch {
            observers: self,
            clock,
            kind,
            class,
            key: self.hasher.hash_one(key),
            began: clock.passed(),
            calls: 0,
            is_told: false,
        })
    }

    fn tell(&self, lookup: &Lookup<'_>) {
        let list = self.list();
        let mut is_gone = false;
        for observer in &*list {
            match observer.upgrade() {
                Some(observer) => observer.observe(lookup),
                None => is_gone = true,
            }
        }
        if is_gone {
            self.change([]);
        }
    }

    fn list(&self) -> Arc<[Weak<dyn Observer>]> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&list)
    }

    /// Adds these, and forgets those that are gone.
    fn change<const N: usize>(&self, more: [Weak<dyn Observer>; N]) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        let living = list.iter().filter(|observer| observer.strong_count() > 0);
        *list = living.cloned().chain(more).collect();
        self.count.store(list.len(), Ordering::Relaxed);
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observers").field(&self.count).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::{Store, Timestamp};

    #[derive(Default)]
    struct Heard(Mutex<Vec<(Told, Duration, u64)>>);

    impl Observer for Heard {
        fn observe(&self, lookup: &Lookup<'_>) {
            assert_eq!((lookup.kind, lookup.class), (LookupKind::Objects, "jobs"));
            let mut heard = self.0.lock().expect("nobody panicked");
            heard.push((lookup.told, lookup.took, lookup.key));
        }
    }

    #[test]
    fn each_lookup_is_told_once_until_the_observer_is_gone() {
        let clock = Clock::manual(Timestamp::from_secs(1));
        let store = Store::builder().clock(clock.clone()).memory();
        let watch = |key: &[u8]| store.watch(LookupKind::Objects, "jobs", key);
        assert!(watch(b"a").is_none());
        let heard = Arc::new(Heard::default());
        let observer: Arc<dyn Observer> = heard.clone();
        store.observe(&observer);

        let watched = watch(b"a").expect("observed");
        clock.advance(Duration::from_millis(2));
        watched.tell(Outcome::Hit.into());
        let mut watched = watch(b"b").expect("observed");
        watched.calls_origin();
        drop(watched);
        {
            let heard = heard.0.lock().expect("nobody panicked");
            let [hit, gone] = &heard[..] else {
                panic!("{heard:?}");
            };
            assert_eq!(
                (hit.0.outcome, hit.1),
                (Outcome::Hit, Duration::from_millis(2))
            );
            assert_eq!(
                (gone.0.outcome, gone.0.origin_calls),
                (Outcome::Cancelled, 1)
            );
            assert_ne!(hit.2, gone.2);
        }

        drop((heard, observer));
        drop(watch(b"a").expect("nobody knows yet"));
        assert!(watch(b"a").is_none());
    }

    /// Hears of a lookup while it makes another observer, and lets go of one.
    struct Busy(Store, Mutex<Option<Arc<dyn Observer>>>);

    impl Observer for Busy {
        fn observe(&self, _: &Lookup<'_>) {
            let another: Arc<dyn Observer> = Arc::new(Heard::default());
            self.0.observe(&another);
            *self.1.lock().expect("nobody panicked") = None;
        }
    }

    #[test]
    fn an_observer_may_use_the_store() {
        let store = Store::memory();
        let busy: Arc<dyn Observer> = Arc::new(Busy(store.clone(), Mutex::default()));
        store.observe(&busy);
        let (done, is_done) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let watch = store.watch(LookupKind::Objects, "jobs", b"a");
            watch.expect("observed").tell(Outcome::Hit.into());
            done.send(()).expect("somebody waits");
        });
        let is_over = is_done.recv_timeout(Duration::from_secs(20));
        assert!(is_over.is_ok(), "it waits for itself");
        drop(busy);
    }

    #[test]
    fn observers_that_are_gone_take_no_room_though_nothing_is_looked_up() {
        let observers = Observers::default();
        for _ in 0..100 {
            let heard: Arc<dyn Observer> = Arc::new(Heard::default());
            observers.add(&heard);
        }
        assert!(observers.count.load(Ordering::Relaxed) <= 1);
    }
}
