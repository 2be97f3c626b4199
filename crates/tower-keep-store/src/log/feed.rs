//! The log, told to whoever listens.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use futures_core::Stream;
use tokio::sync::mpsc::{Receiver, Sender, channel, error::TrySendError};

use super::{
    record::Change,
    table::Stamp,
    target::{Mode, Target},
};

/// What one record invalidated; see [`InvalidationLog::invalidations`](super::InvalidationLog::invalidations).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalidation {
    at: Stamp,
    /// Nothing: some are missing.
    changes: Option<Arc<[(Target, Mode)]>>,
}

impl Invalidation {
    /// Where the log stands with it. In the same epoch, what comes later has a higher position.
    #[must_use]
    pub fn position(&self) -> Stamp {
        self.at
    }

    /// The targets and how hard they were hit. Empty if some were [missed](Self::is_missed): they may have
    /// been any.
    #[must_use]
    pub fn targets(&self) -> &[(Target, Mode)] {
        self.changes.as_deref().unwrap_or_default()
    }

    /// Whether what was invalidated is not known: the reader was too slow, or the log was lost or is new (an empty
    /// Redis at the start). To be treated as everything, hard.
    #[must_use]
    pub fn is_missed(&self) -> bool {
        self.changes.is_none()
    }

    /// How hard it hit what depends on this target; nothing if it did not.
    #[must_use]
    pub fn mode_of(&self, target: Target) -> Option<Mode> {
        let Some(changes) = &self.changes else {
            return Some(Mode::Hard);
        };
        let concerns = |of: Target| of == target || of == Target::EVERYTHING;
        let modes = changes.iter().filter(|(of, _)| concerns(*of));
        modes
            .map(|(_, mode)| *mode)
            .max_by_key(|mode| *mode == Mode::Hard)
    }
}

/// The invalidations of a namespace, as this process hears of them, from whichever process they come. Ends
/// when the log is not in use any more.
#[derive(Debug)]
#[must_use = "a stream does nothing unless it is read"]
pub struct Invalidations {
    records: Receiver<Invalidation>,
    missed: Arc<Missed>,
}

impl Invalidations {
    /// The next one; nothing once the log is not in use any more.
    pub async fn next(&mut self) -> Option<Invalidation> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Invalidations {
    type Item = Invalidation;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Invalidation>> {
        // It has no place in the order: what is still queued is part of everything, too.
        if let Some(at) = self.missed.take() {
            return Poll::Ready(Some(Invalidation { at, changes: None }));
        }
        self.records.poll_recv(cx)
    }
}

/// That a reader had no room for something. It has a full queue then, so it looks here before long.
#[derive(Debug, Default)]
struct Missed {
    is_set: AtomicBool,
    at: Mutex<Stamp>,
}

impl Missed {
    fn set(&self, at: Stamp) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = at;
        self.is_set.store(true, Ordering::Release);
    }

    fn take(&self) -> Option<Stamp> {
        self.is_set
            .swap(false, Ordering::AcqRel)
            .then(|| *self.at.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Those who listen.
#[derive(Debug, Default)]
pub(super) struct Feed {
    readers: Mutex<Vec<Reader>>,
    /// How many; nobody takes a lock to talk to none.
    count: AtomicUsize,
    records: AtomicU64,
    invalidated: AtomicU64,
}

/// What a process has heard of since it follows the log, in whichever process it was invalidated; see
/// [`InvalidationLog::heard`](super::InvalidationLog::heard).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Heard {
    /// Records that invalidated something. What comes together shares one.
    pub records: u64,
    /// Targets in them.
    pub targets: u64,
}

#[derive(Debug)]
struct Reader {
    records: Sender<Invalidation>,
    missed: Arc<Missed>,
}

impl Feed {
    pub(super) fn listen(&self) -> Invalidations {
        let (sender, records) = channel(QUEUED);
        let missed = Arc::new(Missed::default());
        let reader = Reader {
            records: sender,
            missed: missed.clone(),
        };
        let mut readers = self.readers();
        readers.push(reader);
        self.count.store(readers.len(), Ordering::Release);
        Invalidations { records, missed }
    }

    /// A record was applied. Called under the table's lock, so that all hear them in one order.
    pub(super) fn tell(&self, at: Stamp, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        self.records.fetch_add(1, Ordering::Relaxed);
        self.invalidated
            .fetch_add(changes.len() as u64, Ordering::Relaxed);
        if !self.is_heard() {
            return;
        }
        let change = |change: &Change| (change.target, change.mode);
        self.send(&Invalidation {
            at,
            changes: Some(changes.iter().map(change).collect()),
        });
    }

    /// The table has come to `after` in one step. More than one record at once, or another life of the log, is
    /// more than anybody could tell.
    pub(super) fn tell_jump(&self, before: Stamp, after: Stamp) {
        let is_step = after.epoch == before.epoch && after.position <= before.position + 1;
        if !is_step && self.is_heard() {
            self.send(&Invalidation {
                at: after,
                changes: None,
            });
        }
    }

    pub(super) fn heard(&self) -> Heard {
        Heard {
            records: self.records.load(Ordering::Relaxed),
            targets: self.invalidated.load(Ordering::Relaxed),
        }
    }

    fn is_heard(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    fn send(&self, invalidation: &Invalidation) {
        let mut readers = self.readers();
        readers.retain(|reader| reader.take(invalidation));
        self.count.store(readers.len(), Ordering::Release);
    }

    fn readers(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// False once nobody reads.
    fn take(&self, invalidation: &Invalidation) -> bool {
        match self.records.try_send(invalidation.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(missed)) => {
                self.missed.set(missed.at);
                // Should it have emptied the queue meanwhile, this wakes it.
                let _still_full = self.records.try_send(Invalidation {
                    changes: None,
                    ..missed
                });
                true
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }
}

/// Records that wait for a slow reader; what comes then it has missed.
const QUEUED: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(epoch: u64, position: u64) -> Stamp {
        Stamp { epoch, position }
    }

    fn hit(name: &[u8], mode: Mode) -> Change {
        Change {
            target: Target::new("tag", name),
            mode,
        }
    }

    #[tokio::test]
    async fn a_slow_reader_is_told_that_it_missed_some_and_then_goes_on() {
        let feed = Feed::default();
        let mut reader = feed.listen();
        for position in 1..=QUEUED as u64 + 5 {
            feed.tell(stamp(1, position), &[hit(b"a", Mode::Soft)]);
        }
        let first = reader.next().await.expect("told");
        assert!(first.is_missed());
        assert_eq!(first.mode_of(Target::new("tag", b"z")), Some(Mode::Hard));
        for position in 1..=QUEUED as u64 {
            let next = reader.next().await.expect("told");
            assert_eq!(next.position(), stamp(1, position));
        }
        feed.tell(stamp(1, 9999), &[hit(b"a", Mode::Soft)]);
        let next = reader.next().await.expect("told");
        assert_eq!(next.position(), stamp(1, 9999));
        assert!(!next.is_missed());
    }

    #[tokio::test]
    async fn a_jump_is_told_and_a_step_is_not() {
        let feed = Feed::default();
        let mut reader = feed.listen();
        feed.tell_jump(stamp(1, 4), stamp(1, 4));
        feed.tell_jump(stamp(1, 4), stamp(1, 5));
        feed.tell_jump(stamp(1, 5), stamp(1, 9));
        feed.tell_jump(stamp(1, 9), stamp(2, 1));
        for at in [stamp(1, 9), stamp(2, 1)] {
            let next = reader.next().await.expect("told");
            assert!(next.is_missed() && next.position() == at, "{next:?}");
        }
        drop(feed);
        assert_eq!(reader.next().await, None);
    }

    #[tokio::test]
    async fn the_hardest_of_what_concerns_a_target_counts() {
        let feed = Feed::default();
        let mut reader = feed.listen();
        let everything = Change {
            target: Target::EVERYTHING,
            mode: Mode::Soft,
        };
        feed.tell(stamp(1, 1), &[everything, hit(b"a", Mode::Hard)]);
        let told = reader.next().await.expect("told");
        assert_eq!(told.mode_of(Target::new("tag", b"a")), Some(Mode::Hard));
        assert_eq!(told.mode_of(Target::new("tag", b"b")), Some(Mode::Soft));
        feed.tell(stamp(1, 2), &[hit(b"a", Mode::Soft)]);
        let told = reader.next().await.expect("told");
        assert_eq!(told.mode_of(Target::new("tag", b"b")), None);
    }

    #[test]
    fn who_does_not_read_any_more_is_forgotten() {
        let feed = Feed::default();
        drop(feed.listen());
        feed.tell(stamp(1, 1), &[hit(b"a", Mode::Hard)]);
        assert!(!feed.is_heard());
    }
}
