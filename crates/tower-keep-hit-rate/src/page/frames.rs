//! One frame a second, however many watch.

use std::{
    sync::{
        Arc, Mutex, PoisonError, TryLockError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::told::Told;
use crate::handle::HitRateHandle;

/// What those who watch share.
#[derive(Debug)]
pub(super) struct Frames {
    handle: HitRateHandle,
    start: Instant,
    latest: Mutex<Option<Frame>>,
    watching: AtomicUsize,
    is_closed: AtomicBool,
}

/// A snapshot as an event, and the second it was made in.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    second: u32,
    pub(super) event: Bytes,
}

/// The place of one who watches, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Seat(Arc<Frames>);

impl Frames {
    pub(super) fn new(handle: HitRateHandle) -> Self {
        Self {
            handle,
            start: Instant::now(),
            latest: Mutex::new(None),
            watching: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
        }
    }

    pub(super) fn handle(&self) -> &HitRateHandle {
        &self.handle
    }

    /// A place to watch from, if there is one left.
    pub(super) fn seat(self: &Arc<Self>) -> Option<Seat> {
        let order = Ordering::AcqRel;
        let take = |watching| (watching < SEATS && !self.is_closed()).then_some(watching + 1);
        let taken = self
            .watching
            .fetch_update(order, Ordering::Acquire, take)
            .is_ok();
        taken.then(|| Seat(self.clone()))
    }

    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// This second's frame; nothing while another is making it, who must not be waited for.
    pub(super) fn frame(&self) -> Option<Frame> {
        let mut latest = match self.latest.try_lock() {
            Ok(latest) => latest,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let second = self.second();
        let made = latest.take().filter(|frame| frame.second == second);
        let frame = made.unwrap_or_else(|| self.make(second));
        *latest = Some(frame.clone());
        Some(frame)
    }

    /// When the next frame after this one is due.
    pub(super) fn after(&self, frame: &Frame) -> Instant {
        self.start + (frame.second + 1) * PERIOD
    }

    fn second(&self) -> u32 {
        let second = self.start.elapsed().as_nanos() / PERIOD.as_nanos();
        u32::try_from(second).unwrap_or(u32::MAX - 1)
    }

    fn make(&self, second: u32) -> Frame {
        let mut event = b"data: ".to_vec();
        event.append(&mut Told::json(&self.handle));
        event.extend_from_slice(b"\n\n");
        Frame {
            second,
            event: event.into(),
        }
    }
}

impl Seat {
    pub(super) fn frames(&self) -> &Frames {
        &self.0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.0.watching.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Nobody needs it any more.
            *self.0.latest.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}

pub(super) const PERIOD: Duration = Duration::from_secs(1);

/// How many may watch.
const SEATS: usize = 64;
