//! One fetch per cluster: who has the lease of an entry fetches it, who has not waits for that.
//!
//! The lease is a record beside the entry, in its slot, with a random token and a short time to live. Who
//! leads the [flight](super::flight) of a process [contends](Contest) for it once the store has nothing to
//! answer with. In one script each, the server grants it (only if the entry is still as the asker has seen
//! it, so that nobody fetches what has just landed), prolongs it, ends it, or stores the entry, ends it and
//! wakes those who wait. Only the token's owner can end it.
//!
//! Those who wait [subscribe](tower_keep_store::Store::subscribe) to its channel, ask once more, so that no
//! end is missed, and are woken by the push; at the latest they ask when what was left of the lease has
//! passed. A lease is prolonged while its owner lives and fetches, so it may be much shorter than a fetch:
//! its length is how long the death of a process goes unnoticed.
//!
//! None of that is needed for anything to be *right*: an entry that is stored under a lost lease is as good
//! as any. What fails (an evicted or flushed lease, a lost push, an unreachable server) costs calls.

use std::{
    fmt,
    sync::{
        Arc, Once,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{task::AbortHandle, time::Instant};
use tower_keep_store::{Server, Store, StoreError};

pub(crate) use self::{
    contest::{Contest, Turn},
    script::Names,
};

mod contest;
mod script;

/// The leases of one cache.
pub(crate) struct Leases {
    store: Store,
    server: Server,
    /// How long a fetch is waited for, and a lease prolonged.
    patience: Duration,
    prepared: Once,
    /// Since the start.
    granted: AtomicU64,
    awaited: AtomicU64,
}

type Token = [u8; 16];

/// How a lease ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The entry is in the store.
    Landed,
    /// Without an end: somebody else has to fetch.
    Abandoned,
    /// The origin failed, and something stale stood in: each process asks once for itself.
    Failed,
    /// What came was not for others: each on its own.
    Released,
    /// The same, and so it will be for a while.
    Unshared,
    /// It is kept in processes, and not in the store: each process for itself, for a while.
    Apart,
}

impl Ending {
    fn byte(self) -> u8 {
        match self {
            Self::Landed => b'l',
            Self::Abandoned => b'a',
            Self::Failed => b'f',
            Self::Released => b'r',
            Self::Unshared => b'u',
            Self::Apart => b'p',
        }
    }

    fn of(byte: u8) -> Option<Self> {
        let all = [
            Self::Landed,
            Self::Abandoned,
            Self::Failed,
            Self::Released,
            Self::Unshared,
            Self::Apart,
        ];
        all.into_iter().find(|ending| ending.byte() == byte)
    }

    fn remembered(self) -> Option<Duration> {
        matches!(self, Self::Unshared | Self::Apart).then_some(REMEMBERED_FOR)
    }
}

/// The first bytes of a record as it was read, its sum among them; none where there was no record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    bytes: [u8; SEEN],
    length: usize,
}

impl Seen {
    /// Whatever it is now.
    pub(crate) const ANY: Self = Self {
        bytes: *b"*\0\0\0\0\0\0\0",
        length: 1,
    };

    pub(crate) fn of(record: &[u8]) -> Self {
        let length = record.len().min(SEEN);
        let mut bytes = [0; SEEN];
        bytes[..length].copy_from_slice(&record[..length]);
        Self { bytes, length }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Leases {
    /// None where the store is embedded: the flights of the process are all there are.
    pub(super) fn of(store: &Store, patience: Duration) -> Option<Arc<Self>> {
        let leases = Self {
            server: store.server()?,
            store: store.clone(),
            // It is added to an instant, which must not overflow.
            patience: patience.min(LONGEST_PATIENCE),
            prepared: Once::new(),
            granted: AtomicU64::new(0),
            awaited: AtomicU64::new(0),
        };
        Some(Arc::new(leases))
    }

    /// Makes connections from now on know the scripts.
    pub(super) fn prepare(&self) {
        self.prepared.call_once(|| script::prepare(&self.server));
    }

    /// How many were granted, and how often another's fetch was waited for.
    pub(super) fn counts(&self) -> [u64; 2] {
        [&self.granted, &self.awaited].map(|count| count.load(Ordering::Relaxed))
    }

    fn deadline(&self) -> Duration {
        self.store.step_deadline()
    }
}

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases").finish_non_exhaustive()
    }
}

/// The guard of whoever has a lease, or has asked for one and does not know yet. Dropped, it is abandoned in
/// the background, and another takes over at once.
pub(crate) struct Lease {
    leases: Arc<Leases>,
    names: Names,
    token: Token,
    is_held: bool,
    prolonging: Option<AbortHandle>,
}

impl Lease {
    /// Not granted yet; but from here on it may be.
    fn asked(leases: Arc<Leases>, names: Names) -> Option<Self> {
        let mut token = [0; 16];
        getrandom::fill(&mut token).ok()?;
        Some(Self {
            leases,
            names,
            token,
            is_held: true,
            prolonging: None,
        })
    }

    /// Prolongs it from now on.
    fn granted(mut self, lease: Duration) -> Self {
        self.leases.granted.fetch_add(1, Ordering::Relaxed);
        let (leases, names, token) = (self.leases.clone(), self.names, self.token);
        let prolonging = tokio::spawn(prolong(leases, names, token, lease));
        self.prolonging = Some(prolonging.abort_handle());
        self
    }

    /// Another has it.
    fn refused(mut self) {
        self.is_held = false;
    }

    pub(crate) fn names(&self) -> Names {
        self.names
    }

    /// Ends it in the background.
    pub(crate) fn end(mut self, ending: Ending) {
        self.end_with(ending);
    }

    /// Stores the entry for those who wait.
    pub(crate) async fn store(mut self, record: Bytes, ttl: Duration) -> Result<(), StoreError> {
        let (leases, names, token) = (self.leases.clone(), self.names, self.token);
        let deadline = leases.deadline();
        let stored = script::store(&leases.server, names, token, &record, ttl, deadline).await;
        // After a time-out it may still be stored; if not, another should not wait until it runs out.
        self.is_held = stored.is_err();
        stored
    }

    fn end_with(&mut self, ending: Ending) {
        if let Some(prolonging) = self.prolonging.take() {
            prolonging.abort();
        }
        if !std::mem::replace(&mut self.is_held, false) {
            return;
        }
        let (leases, names, token) = (self.leases.clone(), self.names, self.token);
        let server = leases.server.clone();
        // Where the store's connections live, whatever becomes of the caller.
        server.spawn(async move {
            let deadline = leases.deadline();
            let _else_it_runs_out =
                script::end(&leases.server, names, token, ending, deadline).await;
        });
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.end_with(Ending::Abandoned);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("names", &self.names)
            .field("is_held", &self.is_held)
            .finish_non_exhaustive()
    }
}

/// Prolongs a lease until it is lost, or who waits has no more patience.
async fn prolong(leases: Arc<Leases>, names: Names, token: Token, lease: Duration) {
    let end = Instant::now() + leases.patience;
    while Instant::now() < end {
        tokio::time::sleep(lease / 3).await;
        let deadline = leases.deadline();
        let prolonged = script::prolong(&leases.server, names, token, lease, deadline).await;
        if matches!(prolonged, Ok(false)) {
            tracing::debug!("a lease was lost while its owner fetched: another may fetch too");
            return;
        }
    }
}

const LONGEST_PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Where the sum of a record ends: two with the same are taken for one.
const SEEN: usize = 8;

/// How long it is remembered that fetches under a lease cannot be shared.
const REMEMBERED_FOR: Duration = Duration::from_secs(10);
