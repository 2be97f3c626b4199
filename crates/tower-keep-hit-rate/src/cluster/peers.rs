//! What this process knows of the others.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::{kind::Kind, ticker::SECOND};

/// The last view, and whether somebody looks at it.
#[derive(Debug)]
pub(crate) struct Peers {
    /// Names this process, or layer, among the others.
    pub(super) id: u64,
    state: Mutex<State>,
    /// Somebody asks who has not for a while: whoever tells need not wait.
    pub(super) asked: Arc<Notify>,
    /// Not only of requests: no other layer on the store tells what both hear of.
    tells_all: AtomicBool,
}

/// Times are the ticker's.
#[derive(Debug, Default)]
struct State {
    view: Option<Arc<View>>,
    asked_at: Option<u64>,
    /// Since when the server has not been heard of.
    silent_since: Option<u64>,
}

/// What the server said, when last asked.
#[derive(Debug)]
pub(super) struct View {
    /// When that was, here and there (in milliseconds).
    pub(super) read_at: u64,
    pub(super) now: u64,
    pub(super) letters: Vec<Letter>,
    /// Those that could not be told from each other.
    pub(super) ignored: u64,
}

/// What a process told, as it came.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) from: u64,
    /// By the server's clock, in milliseconds.
    pub(super) at: u64,
    pub(super) snapshot: Bytes,
}

impl Peers {
    pub(crate) fn new() -> Self {
        Self {
            // The standard library's keys are the operating system's randomness.
            id: RandomState::new().hash_one(0),
            state: Mutex::default(),
            asked: Arc::default(),
            tells_all: AtomicBool::new(true),
        }
    }

    pub(super) fn tell_all(&self, tells: bool) {
        self.tells_all.store(tells, Ordering::Relaxed);
    }

    /// Whether this layer tells of classes of this kind.
    pub(super) fn tells(&self, kind: Kind) -> bool {
        kind == Kind::Http || self.tells_all.load(Ordering::Relaxed)
    }

    /// The view, and since when the server has been silent. Somebody looks.
    pub(super) fn look(&self, now: u64) -> (Option<Arc<View>>, Option<u64>) {
        let mut state = self.lock();
        if !state.is_asked(now) {
            self.asked.notify_one();
        }
        state.asked_at = Some(now);
        (state.view.clone(), state.silent_since)
    }

    /// Whether somebody looked of late.
    pub(super) fn is_asked(&self, now: u64) -> bool {
        self.lock().is_asked(now)
    }

    pub(super) fn answered(&self, view: Option<View>) {
        let mut state = self.lock();
        state.silent_since = None;
        if let Some(view) = view {
            state.view = Some(Arc::new(view));
        }
    }

    pub(super) fn unanswered(&self, now: u64) {
        self.lock().silent_since.get_or_insert(now);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_asked(&self, now: u64) -> bool {
        let is_recent = |at| now.saturating_sub(at) < ATTENTION;
        self.asked_at.is_some_and(is_recent)
    }
}

/// How long a look keeps the view fresh.
const ATTENTION: u64 = 60 * SECOND;
