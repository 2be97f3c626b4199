//! One fetch per key: who asks first leads, who asks meanwhile follows.
//!
//! A leader ends its flight by [landing](Lead::land) an entry, or by [releasing](Lead::release) the
//! followers to run on their own. If it does neither (it was cancelled, it panicked), dropping its
//! guard abandons the flight, and the next to look leads.
//!
//! A leader that refreshes what is stored, or demands more than that, [leaves](Lead::leaves) it with the flight: those
//! who are content with it do not wait for the end. And who is not does not wait for who only looks into the store,
//! but [takes its place](Flights::join_fetch).

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, RandomState},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering, fence},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use tower_keep_store::{InvalidationLog, Moment, Outcome};

use super::{
    entry::Entry,
    lease::{self, Lease},
};

/// The flights under way.
#[derive(Debug)]
pub(crate) struct Flights<V> {
    shards: [Mutex<Shard<V>>; SHARDS],
    hasher: RandomState,
    /// How long followers wait; and after how long a leader is taken for lost.
    patience: Duration,
}

/// By a keyed hash of the key: should two keys ever share one, their followers find an entry that is not
/// theirs, and go on.
type Shard<V> = HashMap<u64, Arc<Flight<V>>>;

/// One fetch under way.
pub(crate) struct Flight<V> {
    began: Instant,
    ending: OnceLock<Ending<V>>,
    /// What its leader refreshes, or has refused.
    meanwhile: OnceLock<Arc<Entry<V>>>,
    /// Tells of both.
    news: Notify,
    /// Whether what it brings is newer than what is stored. Changed under the lock of its shard.
    fetches: AtomicBool,
    followers: AtomicUsize,
    on_follower: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// How a flight ended for its followers.
#[derive(Debug)]
pub(crate) enum Ending<V> {
    /// With an entry, and where it came from. Whether it may answer is for the follower to judge.
    Landed(Arc<Entry<V>>, Source),
    /// It goes on, and this will do meanwhile.
    Meanwhile(Arc<Entry<V>>),
    /// Each on its own: what came cannot be shared.
    Released,
    /// Without an end: somebody else has to lead.
    Abandoned,
    /// It takes too long: go on alone.
    OutOfPatience,
    /// The origin took longer than it may: nobody else need wait for it as long.
    TimedOut,
}

impl<V> Clone for Ending<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Landed(entry, source) => Self::Landed(entry.clone(), *source),
            Self::Meanwhile(entry) => Self::Meanwhile(entry.clone()),
            Self::Released => Self::Released,
            Self::Abandoned => Self::Abandoned,
            Self::OutOfPatience => Self::OutOfPatience,
            Self::TimedOut => Self::TimedOut,
        }
    }
}

/// Where a leader found the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// In the store, which was asked at this moment.
    Store(Moment),
    /// At the origin, which was asked at this moment.
    Origin(Moment),
    /// Here or in the store, past its time: it is refreshed, or the origin failed.
    Stale,
    /// The same, for want of the origin: it cannot be reached.
    Unreached,
}

impl Source {
    /// What became of a request that waited for this.
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Self::Store(_) => Outcome::Hit,
            Self::Origin(_) => Outcome::Collapsed,
            Self::Stale | Self::Unreached => Outcome::Stale,
        }
    }

    /// Whether what came from here may answer who asked at that moment and waited for it.
    pub(crate) fn may_answer<V>(
        self,
        entry: &Entry<V>,
        log: &InvalidationLog,
        asked: Moment,
    ) -> bool {
        match self {
            Self::Store(fetched) | Self::Origin(fetched) => entry.may_answer(log, fetched, asked),
            // Its leader found it fit; but who waits may have heard more of the log meanwhile.
            Self::Stale | Self::Unreached => !entry.is_invalid(log),
        }
    }
}

/// What joining a flight makes of a request.
#[derive(Debug)]
pub(crate) enum Joined<V> {
    Leading(Lead<V>),
    Following(Follow<V>),
}

impl<V> Flights<V> {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            patience,
        }
    }

    /// Follows the flight for `key`, or leads a new one.
    pub(crate) fn join(self: &Arc<Self>, key: &[u8]) -> Joined<V> {
        self.join_or_begin(key, false)
    }

    /// Follows who fetches, or leads: who only looks into the store goes on for those who follow him already.
    pub(crate) fn join_fetch(self: &Arc<Self>, key: &[u8]) -> Joined<V> {
        self.join_or_begin(key, true)
    }

    fn join_or_begin(self: &Arc<Self>, key: &[u8], fetches: bool) -> Joined<V> {
        let key = self.hasher.hash_one(key);
        let mut shard = self.shard(key);
        if let Some(flight) = shard.get(&key)
            && flight.began.elapsed() < self.patience
            && (!fetches || flight.fetches.load(Ordering::Relaxed))
        {
            let flight = flight.clone();
            drop(shard);
            return Joined::Following(flight.follow(self.patience));
        }
        Joined::Leading(self.begin(key, &mut shard, fetches))
    }

    /// Leads, unless somebody does.
    pub(crate) fn lead(self: &Arc<Self>, key: &[u8]) -> Option<Lead<V>> {
        let key = self.hasher.hash_one(key);
        let mut shard = self.shard(key);
        let is_led = shard
            .get(&key)
            .is_some_and(|flight| flight.began.elapsed() < self.patience);
        (!is_led).then(|| self.begin(key, &mut shard, true))
    }

    /// Leads nobody: what is fetched is for other processes, or for the next who look.
    pub(crate) fn lead_nobody(self: &Arc<Self>, key: &[u8]) -> Lead<V> {
        Lead {
            flights: self.clone(),
            key: self.hasher.hash_one(key),
            flight: Arc::new(Flight::begins(true)),
            lease: None,
        }
    }

    /// Follows, if somebody leads.
    pub(crate) fn follow(&self, key: &[u8]) -> Option<Follow<V>> {
        let key = self.hasher.hash_one(key);
        let flight = self.shard(key).get(&key)?.clone();
        Some(flight.follow(self.patience))
    }

    /// How many fetches are under way.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| locked(shard).len()).sum()
    }

    fn begin(self: &Arc<Self>, key: u64, shard: &mut Shard<V>, fetches: bool) -> Lead<V> {
        let flight = Arc::new(Flight::begins(fetches));
        Self::place(shard, key, &flight);
        Lead {
            flights: self.clone(),
            key,
            flight,
            lease: None,
        }
    }

    /// A flight that was taken for lost still ends for those who follow it. One too many leads nobody.
    fn place(shard: &mut Shard<V>, key: u64, flight: &Arc<Flight<V>>) {
        if shard.len() < MOST_FLIGHTS / SHARDS || shard.contains_key(&key) {
            shard.insert(key, flight.clone());
        }
    }

    fn end(&self, key: u64, flight: &Arc<Flight<V>>, ending: Ending<V>) {
        {
            let mut shard = self.shard(key);
            if shard
                .get(&key)
                .is_some_and(|current| Arc::ptr_eq(current, flight))
            {
                shard.remove(&key);
            }
        }
        if flight.ending.set(ending).is_ok() {
            flight.news.notify_waiters();
        }
    }

    fn shard(&self, key: u64) -> MutexGuard<'_, Shard<V>> {
        // The high bits choose the shard: within it, the low ones choose the place.
        let index = (key >> 32) as usize % SHARDS;
        locked(&self.shards[index])
    }
}

impl<V> Flight<V> {
    fn begins(fetches: bool) -> Self {
        Self {
            began: Instant::now(),
            ending: OnceLock::new(),
            meanwhile: OnceLock::new(),
            news: Notify::new(),
            fetches: AtomicBool::new(fetches),
            followers: AtomicUsize::new(0),
            on_follower: OnceLock::new(),
        }
    }

    /// Calls this when somebody follows; at once if somebody does already.
    pub(crate) fn on_follower(&self, hurry: impl Fn() + Send + Sync + 'static) {
        let hurry = self.on_follower.get_or_init(|| Box::new(hurry));
        // Pairs with the fence in `follow`: of the two, at least one sees the other.
        fence(Ordering::SeqCst);
        if self.is_followed() {
            hurry();
        }
    }

    async fn ends(&self, will_do: impl Fn(&Entry<V>) -> bool) -> Ending<V> {
        loop {
            let mut news = pin!(self.news.notified());
            // From here on none is missed.
            news.as_mut().enable();
            if let Some(ending) = self.ending.get() {
                return ending.clone();
            }
            match self.meanwhile.get() {
                Some(entry) if will_do(entry) => return Ending::Meanwhile(entry.clone()),
                _ => news.await,
            }
        }
    }

    fn follow(self: Arc<Self>, patience: Duration) -> Follow<V> {
        self.followers.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if let Some(hurry) = self.on_follower.get() {
            hurry();
        }
        Follow {
            flight: self,
            patience,
        }
    }

    /// Whether anybody waits for it.
    pub(crate) fn is_followed(&self) -> bool {
        self.followers.load(Ordering::SeqCst) > 0 && self.ending.get().is_none()
    }
}

impl<V> fmt::Debug for Flight<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight")
            .field("began", &self.began)
            .field("followers", &self.followers)
            .finish_non_exhaustive()
    }
}

/// The guard of whoever leads.
#[derive(Debug)]
pub(crate) struct Lead<V> {
    flights: Arc<Flights<V>>,
    key: u64,
    flight: Arc<Flight<V>>,
    /// That of the cluster, if this process fetches for all. Dropped with the lead, it is abandoned too.
    lease: Option<Lease>,
}

impl<V> Lead<V> {
    /// Fetches for all processes.
    pub(crate) fn hold(&mut self, lease: Option<Lease>) {
        self.lease = lease;
    }

    /// The lease goes to who writes the entry.
    pub(crate) fn take_lease(&mut self) -> Option<Lease> {
        self.lease.take()
    }

    /// For those who are content with it this will do meanwhile.
    pub(crate) fn leaves(&self, entry: Arc<Entry<V>>) {
        if self.flight.meanwhile.set(entry).is_ok() {
            self.flight.news.notify_waiters();
        }
    }

    /// It has looked, and begins to fetch; false if another has taken its place meanwhile. If that one has gone,
    /// it has its place again.
    pub(crate) fn fetches(&self) -> bool {
        let mut shard = self.flights.shard(self.key);
        match shard.get(&self.key) {
            Some(current) if !Arc::ptr_eq(current, &self.flight) => return false,
            Some(_) => {}
            None => Flights::place(&mut shard, self.key, &self.flight),
        }
        self.flight.fetches.store(true, Ordering::Relaxed);
        true
    }

    /// Whether other processes may wait for it.
    pub(crate) fn is_leased(&self) -> bool {
        self.lease.is_some()
    }

    pub(crate) fn flight(&self) -> &Arc<Flight<V>> {
        &self.flight
    }

    /// Gives the followers what they wait for.
    pub(crate) fn land(mut self, entry: Arc<Entry<V>>, source: Source) {
        self.end_lease(lease::Ending::Failed);
        self.flights
            .end(self.key, &self.flight, Ending::Landed(entry, source));
    }

    /// Sends the followers on their own way, all at once.
    pub(crate) fn release(mut self) {
        self.end_lease(lease::Ending::Released);
        self.flights.end(self.key, &self.flight, Ending::Released);
    }

    /// Tells the followers that the origin took longer than it may.
    pub(crate) fn time_out(mut self) {
        self.end_lease(lease::Ending::Failed);
        self.flights.end(self.key, &self.flight, Ending::TimedOut);
    }

    /// The same, and tells other processes that the next fetch would end so too.
    pub(crate) fn release_for_long(mut self) {
        self.end_lease(lease::Ending::Unshared);
        self.release();
    }

    fn end_lease(&mut self, ending: lease::Ending) {
        if let Some(lease) = self.lease.take() {
            lease.end(ending);
        }
    }
}

impl<V> Drop for Lead<V> {
    fn drop(&mut self) {
        self.flights.end(self.key, &self.flight, Ending::Abandoned);
    }
}

/// The place of one who waits.
#[derive(Debug)]
pub(crate) struct Follow<V> {
    flight: Arc<Flight<V>>,
    patience: Duration,
}

impl<V> Follow<V> {
    /// Not longer than until what its leader has left will do.
    pub(crate) async fn wait(self, will_do: impl Fn(&Entry<V>) -> bool) -> Ending<V> {
        let ending = timeout(self.patience, self.flight.ends(will_do)).await;
        ending.unwrap_or(Ending::OutOfPatience)
    }
}

impl<V> Drop for Follow<V> {
    fn drop(&mut self) {
        self.flight.followers.fetch_sub(1, Ordering::SeqCst);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const SHARDS: usize = 16;

/// Fetches under way that others can follow.
const MOST_FLIGHTS: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::{super::envelope::tests::entry, *};

    fn flights(patience: Duration) -> Arc<Flights<u32>> {
        Arc::new(Flights::new(patience))
    }

    fn lead(flights: &Arc<Flights<u32>>) -> Lead<u32> {
        match flights.join(b"k") {
            Joined::Leading(lead) => lead,
            Joined::Following(_) => panic!("nobody else leads"),
        }
    }

    fn follow(flights: &Arc<Flights<u32>>) -> Follow<u32> {
        match flights.join(b"k") {
            Joined::Following(follow) => follow,
            Joined::Leading(_) => panic!("somebody leads"),
        }
    }

    #[tokio::test]
    async fn what_a_leader_leaves_will_do_for_who_is_content_with_it() {
        let flights = flights(LONG);
        let leader = lead(&flights);
        let [content, other] = [follow(&flights), follow(&flights)];
        let will_do = |entry: &Entry<u32>| entry.value == 7;
        let content = tokio::spawn(content.wait(will_do));
        leader.leaves(Arc::new(entry(b"k", 7)));
        for content in [
            content.await.expect("no panic"),
            follow(&flights).wait(will_do).await,
        ] {
            assert!(matches!(content, Ending::Meanwhile(entry) if entry.value == 7));
        }
        leader.land(Arc::new(entry(b"k", 8)), Source::Stale);
        let ending = other.wait(nothing).await;
        assert!(matches!(ending, Ending::Landed(entry, _) if entry.value == 8));
        assert_eq!(flights.len(), 0);
    }

    #[tokio::test]
    async fn who_refuses_what_is_stored_takes_the_place_of_who_only_looks() {
        let flights = flights(LONG);
        let looking = lead(&flights);
        let Joined::Leading(fetching) = flights.join_fetch(b"k") else {
            panic!("nobody fetches");
        };
        assert!(matches!(flights.join_fetch(b"k"), Joined::Following(_)));
        assert!(!looking.fetches(), "another does");
        drop(looking);
        assert!(fetching.fetches());
        let follower = follow(&flights);
        fetching.land(Arc::new(entry(b"k", 8)), Source::Stale);
        assert!(matches!(follower.wait(nothing).await, Ending::Landed(..)));
        assert_eq!(flights.len(), 0);
    }

    #[tokio::test]
    async fn who_took_the_place_and_has_gone_leaves_it_to_who_looked() {
        let flights = flights(LONG);
        let looking = lead(&flights);
        let Joined::Leading(fetching) = flights.join_fetch(b"k") else {
            panic!("nobody fetches");
        };
        drop(fetching);
        assert!(looking.fetches(), "nobody else does");
        let followers = [
            follow(&flights),
            flights.follow(b"k").expect("somebody leads"),
        ];
        assert!(matches!(flights.join_fetch(b"k"), Joined::Following(_)));
        looking.land(Arc::new(entry(b"k", 8)), Source::Stale);
        for follower in followers {
            assert!(matches!(follower.wait(nothing).await, Ending::Landed(..)));
        }
        assert_eq!(flights.len(), 0);
    }

    #[tokio::test]
    async fn who_fetches_keeps_his_place() {
        let flights = flights(LONG);
        let fetching = lead(&flights);
        assert!(fetching.fetches());
        assert!(matches!(flights.join_fetch(b"k"), Joined::Following(_)));
        drop(fetching);
        let refreshing = flights.lead(b"k").expect("nobody else leads");
        assert!(matches!(flights.join_fetch(b"k"), Joined::Following(_)));
        assert!(refreshing.fetches());
    }

    fn nothing(_: &Entry<u32>) -> bool {
        false
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn followers_get_what_the_leader_landed() {
        let flights = flights(LONG);
        let leader = lead(&flights);
        let [one, two] = [follow(&flights), follow(&flights)];
        assert!(leader.flight().is_followed());
        leader.land(Arc::new(entry(b"k", 7)), Source::Stale);
        for follower in [one, two] {
            let Ending::Landed(entry, Source::Stale) = follower.wait(nothing).await else {
                panic!("it landed");
            };
            assert_eq!(entry.value, 7);
        }
        assert_eq!(flights.len(), 0);
    }

    #[tokio::test]
    async fn a_leader_that_vanishes_leaves_the_lead_to_the_next() {
        let flights = flights(LONG);
        let leader = lead(&flights);
        let follower = follow(&flights);
        drop(leader);
        assert!(matches!(follower.wait(nothing).await, Ending::Abandoned));
        lead(&flights).release();
        assert_eq!(flights.len(), 0);
    }

    #[tokio::test]
    async fn a_leader_that_takes_too_long_is_overtaken_and_harms_nobody() {
        let flights = flights(Duration::ZERO);
        let lost = lead(&flights);
        let next = lead(&flights);
        drop(lost);
        assert_eq!(
            flights.len(),
            1,
            "the lost one did not end the other's flight"
        );
        next.release();
        assert_eq!(flights.len(), 0);
    }

    #[tokio::test]
    async fn followers_do_not_wait_for_ever() {
        let flights = flights(Duration::from_millis(5));
        let _leader = lead(&flights);
        let follower = flights.follow(b"k").expect("somebody leads");
        assert!(matches!(
            follower.wait(nothing).await,
            Ending::OutOfPatience
        ));
    }

    #[test]
    fn so_many_can_be_followed_and_the_others_lead_nobody() {
        let flights = flights(LONG);
        let lead = |i: u32| flights.lead(&i.to_be_bytes()).expect("nobody else leads");
        let leads: Vec<_> = (0..80_000).map(lead).collect();
        assert!(flights.len() <= MOST_FLIGHTS);
        drop(leads);
        assert_eq!(flights.len(), 0);
    }

    #[tokio::test]
    async fn who_leads_nobody_harms_nobody() {
        let flights = flights(LONG);
        let leader = lead(&flights);
        let follower = follow(&flights);
        flights.lead_nobody(b"k").release();
        drop(flights.lead_nobody(b"k"));
        leader.land(Arc::new(entry(b"k", 7)), Source::Stale);
        assert!(matches!(follower.wait(nothing).await, Ending::Landed(..)));
    }

    #[tokio::test]
    async fn released_followers_go_at_once_and_other_keys_are_not_concerned() {
        let flights = flights(LONG);
        let leader = lead(&flights);
        let follower = follow(&flights);
        let Joined::Leading(_other) = flights.join(b"other") else {
            panic!("another key");
        };
        leader.release();
        assert!(matches!(follower.wait(nothing).await, Ending::Released));
        assert!(flights.lead(b"other").is_none());
        assert!(flights.lead(b"k").is_some());
    }
}
