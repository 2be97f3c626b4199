//! A connection that knows when it is no good any more.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use redis::{RedisError, ServerErrorKind, aio::MultiplexedConnection};
use tokio::{task::AbortHandle, time::Instant};

use super::failures::Failures;

/// A multiplexed connection and its health. Clones share both.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) connection: MultiplexedConnection,
    pub(super) health: Arc<Health>,
    /// What runs it, where that is a task of ours.
    pub(super) driver: Option<Arc<Driver>>,
}

/// The task of a connection, which ends with its last clone, whatever the server still owes.
#[derive(Debug)]
pub(super) struct Driver(pub(super) AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is known of a connection without asking it.
///
/// A connection that broke says so. One whose peer hangs says nothing at all, so time-outs are
/// counted, and three in a row are taken for death.
#[derive(Debug, Default)]
pub(super) struct Health {
    dead: AtomicBool,
    /// Time-outs were counted since the last answer: what an answer needs to look at.
    timing_out: AtomicBool,
    timeouts: Failures,
}

impl Health {
    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire)
    }

    pub(super) fn declare_dead(&self) {
        self.dead.store(true, Ordering::Release);
    }

    pub(super) fn answered(&self) {
        if self.timing_out.load(Ordering::Relaxed) {
            self.timing_out.store(false, Ordering::Relaxed);
            self.timeouts.reset();
        }
    }

    /// A command that was sent at this moment was not answered in time.
    pub(super) fn timed_out(&self, sent: Instant) {
        self.timing_out.store(true, Ordering::Relaxed);
        if self.timeouts.add(sent) >= TIMEOUTS_OF_A_HUNG_PEER {
            self.declare_dead();
        }
    }

    pub(super) fn failed(&self, error: &RedisError) {
        // A master that became a replica answers, but never again as we need it.
        let demoted = error.kind() == redis::ErrorKind::Server(ServerErrorKind::ReadOnly);
        if error.is_unrecoverable_error() || error.is_io_error() || demoted {
            self.declare_dead();
        } else {
            self.answered();
        }
    }
}

const TIMEOUTS_OF_A_HUNG_PEER: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_timeouts_in_a_row_are_death_and_an_answer_starts_the_count_again() {
        let health = Health::default();
        health.timed_out(Instant::now());
        health.timed_out(Instant::now());
        health.answered();
        health.timed_out(Instant::now());
        health.timed_out(Instant::now());
        assert!(!health.is_dead());
        health.timed_out(Instant::now());
        assert!(health.is_dead());
    }

    #[test]
    fn a_demoted_master_is_as_good_as_dead_and_a_refused_command_is_not() {
        let health = Health::default();
        health.failed(&RedisError::from((
            redis::ErrorKind::Server(ServerErrorKind::NoPerm),
            "no permission",
        )));
        assert!(!health.is_dead());
        health.failed(&RedisError::from((
            redis::ErrorKind::Server(ServerErrorKind::ReadOnly),
            "replica",
        )));
        assert!(health.is_dead());
    }
}
