//! An entry: a value, what it depends on, and how long it may be used.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tower_keep_store::{InvalidationLog, Moment, Stamp, Target, Timestamp, Verdict};

use super::Present;

/// What every entry has, whatever its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Where the log stood when the fetch began.
    pub(crate) stamp: Stamp,
    pub(crate) targets: Box<[Target]>,
    /// When the value was received.
    pub(crate) received: Timestamp,
    pub(crate) fresh_until: Timestamp,
    /// Until when it may answer while it is refreshed.
    pub(crate) stale_until: Timestamp,
    /// Until when it may answer in place of an error.
    pub(crate) error_until: Timestamp,
    /// Until when it may answer once the origin has confirmed it.
    pub(crate) kept_until: Timestamp,
    /// How long the origin took, to the end of its body; zero where nobody measured it.
    pub(crate) cost: Duration,
    /// How long before its end it is refreshed in the mean; zero for never. See [early](super::early).
    pub(crate) early: Duration,
    /// Whether it is kept in the process, and in the store.
    pub(crate) first_level: bool,
    pub(crate) store: bool,
}

impl Meta {
    /// When nothing can use it any more.
    pub(crate) fn useless_at(&self) -> Timestamp {
        self.answers_until().max(self.kept_until)
    }

    /// Whether they are of one fetch: one may have been read from the store, where a cost is rounded.
    pub(crate) fn is_same_fetch(&self, other: &Self) -> bool {
        (self.received, self.fresh_until, self.stamp)
            == (other.received, other.fresh_until, other.stamp)
    }

    /// Until when it may answer without the origin's word.
    fn answers_until(&self) -> Timestamp {
        self.fresh_until.max(self.stale_until).max(self.error_until)
    }
}

/// How an entry may be used now, from the freest to the most restricted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Usability {
    /// As an answer.
    Fresh,
    /// As an answer, while somebody refreshes it.
    Stale,
    /// Only if the origin fails.
    OnError,
    /// Once the origin has confirmed it.
    Expired,
    /// Not at all.
    Not,
}

/// A value under its full key.
#[derive(Debug)]
pub(crate) struct Entry<V> {
    pub(crate) key: Box<[u8]>,
    pub(crate) meta: Meta,
    pub(crate) value: V,
    /// The log's generation in which the entry was last found valid.
    verified: AtomicU64,
}

impl<V> Entry<V> {
    pub(crate) fn new(key: Box<[u8]>, meta: Meta, value: V) -> Self {
        Self {
            key,
            meta,
            value,
            verified: AtomicU64::new(NEVER),
        }
    }

    /// Judges the entry by the log and the clock.
    pub(crate) fn usability(&self, log: &InvalidationLog, now: Timestamp) -> Usability {
        self.usability_at(log, Present::at(now))
    }

    /// The same, for whoever has read the clocks already.
    pub(super) fn usability_at(&self, log: &InvalidationLog, now: Present) -> Usability {
        if !now.has_current(log) {
            return Usability::Not;
        }
        let now = now.time;
        match self.verdict(log) {
            Verdict::Invalid => Usability::Not,
            Verdict::Soft => self.stale_usability(now),
            Verdict::Valid if now < self.meta.fresh_until => Usability::Fresh,
            Verdict::Valid => self.stale_usability(now),
        }
    }

    /// Whether it, fetched or judged at `fetched`, may answer who asked at `asked` and waited for it. The
    /// log need not be current for that: the fetch was under way.
    pub(crate) fn may_answer(&self, log: &InvalidationLog, fetched: Moment, asked: Moment) -> bool {
        log.may_answer(fetched, asked, &self.meta.targets)
    }

    /// Whether it must not be used, not even as a stale one.
    pub(crate) fn is_invalid(&self, log: &InvalidationLog) -> bool {
        self.verdict(log) == Verdict::Invalid
    }

    /// Whether it may still answer in place of an error.
    pub(crate) fn may_bridge(&self, log: &InvalidationLog, now: Timestamp) -> bool {
        !self.is_invalid(log) && now < self.meta.answers_until()
    }

    /// The table is asked again only when it has changed.
    fn verdict(&self, log: &InvalidationLog) -> Verdict {
        let generation = log.generation();
        if self.verified.load(Ordering::Acquire) == generation {
            return Verdict::Valid;
        }
        let verdict = log.verdict(self.meta.stamp, &self.meta.targets);
        if verdict == Verdict::Valid {
            self.verified.store(generation, Ordering::Release);
        }
        verdict
    }

    fn stale_usability(&self, now: Timestamp) -> Usability {
        let Meta {
            fresh_until,
            stale_until,
            error_until,
            kept_until,
            ..
        } = self.meta;
        // Without a window of its own, an entry that is softly invalid is not stale but useless.
        if now < stale_until && stale_until > fresh_until {
            Usability::Stale
        } else if now < error_until && error_until > fresh_until {
            Usability::OnError
        } else if now < kept_until && kept_until > fresh_until {
            Usability::Expired
        } else {
            Usability::Not
        }
    }
}

const NEVER: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use tower_keep_store::{Mode, Store};

    use super::{super::flight::Source, *};

    fn entry(log: &InvalidationLog, [stale, error, kept]: [u64; 3]) -> Entry<()> {
        let meta = Meta {
            stamp: log.stamp(),
            targets: Box::new([Target::new("tag", b"a")]),
            received: Timestamp::from_secs(100),
            fresh_until: Timestamp::from_secs(110),
            stale_until: Timestamp::from_secs(110 + stale),
            error_until: Timestamp::from_secs(110 + error),
            kept_until: Timestamp::from_secs(110 + kept),
            cost: Duration::ZERO,
            early: Duration::ZERO,
            first_level: true,
            store: true,
        };
        Entry::new(Box::default(), meta, ())
    }

    #[test]
    fn an_entry_ages_through_its_windows() {
        let store = Store::memory();
        let log = store.log();
        let entry = entry(log, [5, 20, 30]);
        let at = |secs| entry.usability(log, Timestamp::from_secs(secs));
        assert_eq!(at(109), Usability::Fresh);
        assert_eq!(at(110), Usability::Stale);
        assert_eq!(at(115), Usability::OnError);
        assert_eq!(at(130), Usability::Expired);
        assert_eq!(at(140), Usability::Not);
        assert_eq!(entry.meta.useless_at(), Timestamp::from_secs(140));
        assert!(entry.may_bridge(log, Timestamp::from_secs(129)));
        assert!(!entry.may_bridge(log, Timestamp::from_secs(130)));
    }

    #[tokio::test]
    async fn soft_makes_it_stale_where_it_may_be_and_hard_useless() {
        let store = Store::memory();
        let log = store.log();
        let now = Timestamp::from_secs(101);
        let lenient = entry(log, [5, 0, 0]);
        let [strict, with_tag] = [entry(log, [0; 3]), entry(log, [0, 0, 5])];
        assert_eq!(strict.usability(log, now), Usability::Fresh);
        let targets = [Target::new("tag", b"a")];
        let deadline = Duration::from_secs(1);
        log.append(&targets, Mode::Soft, deadline)
            .await
            .expect("embedded");
        assert_eq!(lenient.usability(log, now), Usability::Stale);
        let may_answer = || Source::Stale.may_answer(&lenient, log, log.moment());
        assert!(may_answer());
        assert_eq!(strict.usability(log, now), Usability::Not);
        assert_eq!(with_tag.usability(log, now), Usability::Expired);
        log.append(&targets, Mode::Hard, deadline)
            .await
            .expect("embedded");
        assert_eq!(lenient.usability(log, now), Usability::Not);
        assert_eq!(with_tag.usability(log, now), Usability::Not);
        assert!(!lenient.may_bridge(log, now) && !may_answer());
    }
}
