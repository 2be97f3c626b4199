use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    feed::{Heard, Invalidations},
    folded::Folded,
    random,
    record::{Content, Record},
    shared::{Shared, Tasks},
    table::{Moment, Stamp, Verdict},
    target::Target,
};
use crate::{error::StoreError, redis::Redis};

/// A handle to the log of one namespace. Clones share it.
///
/// What remains: a process that dies between a change and its record, or before a record that waits for
/// Redis could be written, takes the record with it, unless it announced a [`Doubt`](super::Doubt); and if
/// Redis comes back from an older snapshot while no process lives that knows better, records since then are
/// lost. Entries older than that are then used until their lifetime ends. See the proof at the end of the
/// [crate's documentation](crate).
///
/// On Redis a process reads the log with one blocking `XREAD` on a connection of its own, asks for its end (one
/// script) four times a second, renews it each minute, and asks each new connection for the server's run id. Another
/// server begins a new epoch: after a restart or a fail-over nothing that is older is used.
#[derive(Clone)]
pub struct InvalidationLog {
    pub(super) folded: Arc<Folded>,
    pub(super) shared: Option<Arc<Tasks>>,
}

impl InvalidationLog {
    pub(crate) fn embedded() -> Self {
        let folded = Arc::new(Folded::default());
        folded
            .apply(&Record {
                position: 1,
                epoch: random(),
                previous: 0,
                nonce: 0,
                content: Content::default(),
            })
            .expect("the first record follows nothing");
        Self {
            folded,
            shared: None,
        }
    }

    pub(crate) fn shared(redis: Arc<Redis>, namespace: &str, staleness_bound: Duration) -> Self {
        let folded = Arc::new(Folded::default());
        let tasks = Shared::start(redis, namespace, folded.clone(), staleness_bound);
        Self {
            folded,
            shared: Some(Arc::new(tasks)),
        }
    }

    /// What a fetch that begins now has to carry.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.folded.read().stamp()
    }

    /// Counts the changes of the table. A verdict stays true while this number stays the same; read
    /// it *before* asking for the verdict.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.folded.generation.load(Ordering::Acquire)
    }

    /// Waits until the table is not as it was at this [generation](Self::generation) any more.
    pub async fn changed(&self, since: u64) {
        loop {
            let mut changed = std::pin::pin!(self.folded.changed.notified());
            changed.as_mut().enable();
            if self.generation() != since {
                return;
            }
            changed.await;
        }
    }

    /// Judges what was fetched at `stamp` and depends on `targets` (and, as all does, on
    /// [`Target::EVERYTHING`]).
    #[must_use]
    pub fn verdict(&self, stamp: Stamp, targets: &[Target]) -> Verdict {
        self.folded.read().verdict(stamp, targets)
    }

    /// Takes note of when somebody asks; see [`may_answer`](Self::may_answer).
    #[must_use]
    pub fn moment(&self) -> Moment {
        // Under the lock no change can come between the two.
        let table = self.folded.read();
        let moment = table.moment(self.generation());
        match table.is_announced() {
            true => moment.in_order(self.folded.moments.fetch_add(1, Ordering::AcqRel) + 1),
            false => moment,
        }
    }

    /// Whether what a fetch brought that began at `fetched` may answer who asked at `asked`, although it
    /// may have been invalidated *since*: both were under way then.
    #[must_use]
    pub fn may_answer(&self, fetched: Moment, asked: Moment, targets: &[Target]) -> bool {
        self.folded.read().may_answer(fetched, asked, targets)
    }

    /// Whether verdicts take account of all that was written up to the staleness bound ago. If not,
    /// what could have been invalidated elsewhere must not be used.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.shared
            .as_ref()
            .is_none_or(|shared| shared.log().is_current())
    }

    /// The same, for whoever has looked at the clock already: `now` is this moment.
    #[must_use]
    pub fn is_current_at(&self, now: Instant) -> bool {
        self.shared
            .as_ref()
            .is_none_or(|shared| shared.log().is_current_at(now))
    }

    /// Waits until this process has applied all that stood in the log when this was called: what was appended
    /// elsewhere before, and told to stand there, is in every verdict afterwards. For
    /// [`Consistency::Strict`](super::Consistency::Strict).
    ///
    /// One round trip on a connection that requests share, together with theirs; one more if the process
    /// lags, or several if it lags far. None on an embedded store.
    ///
    /// # Errors
    ///
    /// That could not be brought about within `deadline`: nothing stored should be used.
    pub async fn catch_up(&self, deadline: Duration) -> Result<(), StoreError> {
        match &self.shared {
            Some(shared) => shared.log().catch_up(deadline).await,
            None => Ok(()),
        }
    }

    /// What is invalidated from now on, in whichever process, once this one has heard of it. Doubts that
    /// begin are not told; their ends are.
    ///
    /// Bounded: a reader that is 1024 records behind [misses](super::Invalidation::is_missed) what comes then, and
    /// is told so. So it is when the log begins anew. While the log cannot be read nothing is told: what came
    /// meanwhile is, late.
    pub fn invalidations(&self) -> Invalidations {
        self.folded.feed.listen()
    }

    /// How much this process has heard of.
    #[must_use]
    pub fn heard(&self) -> Heard {
        self.folded.feed.heard()
    }

    /// Whether since `before` the record at `at` was the only one that invalidated these targets, so
    /// that its writer's own value is the newest there is.
    #[must_use]
    pub fn only_hit_at(&self, before: Stamp, at: Stamp, targets: &[Target]) -> bool {
        self.folded.read().only_hit_at(before, at, targets)
    }
}

impl fmt::Debug for InvalidationLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvalidationLog")
            .field("stamp", &self.stamp())
            .field("is_current", &self.is_current())
            .finish()
    }
}
