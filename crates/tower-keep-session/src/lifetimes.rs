//! How long sessions live.

use std::time::Duration;

use tower_keep_store::{ConfigError, Timestamp};

/// The deadlines of sessions, and what else bounds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetimes {
    pub(crate) idle: Duration,
    pub(crate) absolute: Duration,
    /// How long the ticket that a rotation replaced still leads to the session.
    pub(crate) grace: Duration,
    /// After how long a session is given a new ticket by itself.
    pub(crate) rotation: Option<Duration>,
    /// How much longer than itself a token stays revoked.
    pub(crate) leeway: Duration,
    /// Bytes of all names and values.
    pub(crate) largest: usize,
    /// Sessions that one user may have.
    pub(crate) most_per_user: u32,
    /// Whether the oldest of a user's sessions ends for a new one.
    pub(crate) oldest_gives_way: bool,
}

impl Lifetimes {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.idle < Duration::from_secs(1) {
            return Err(ConfigError::new("idle_timeout: at least a second"));
        }
        if self.absolute < self.idle {
            return Err(ConfigError::new(
                "idle_timeout, absolute_timeout: the first not longer than the second",
            ));
        }
        if self.absolute > LONGEST {
            return Err(ConfigError::new("absolute_timeout: at most 400 days"));
        }
        if self.grace > LONGEST_GRACE {
            return Err(ConfigError::new("rotation_grace: at most an hour"));
        }
        let shortest = SHORTEST_ROTATION.max(self.grace * 2);
        if self.rotation.is_some_and(|rotation| rotation < shortest) {
            return Err(ConfigError::new(
                "rotate_every: at least a minute, and twice the rotation_grace",
            ));
        }
        if self.leeway > LONGEST_LEEWAY {
            return Err(ConfigError::new("token_leeway: at most a day"));
        }
        if self.largest == 0 {
            return Err(ConfigError::new("size_limit: 0 bytes hold nothing"));
        }
        if !(1..=MOST_SESSIONS).contains(&self.most_per_user) {
            return Err(ConfigError::new("sessions_per_user: 1 to 1000"));
        }
        Ok(())
    }

    /// Whether a session that will end in so many milliseconds unless somebody comes is to be given another
    /// end: about ten times in an idle time.
    pub(crate) fn is_renewal_due(&self, left: u64, now: u64, ends: u64) -> bool {
        let whole = self.idle_millis().min(ends.saturating_sub(now));
        // More than it can have by these rules: it began by others.
        left > self.idle_millis() || left < whole - whole / 10
    }

    /// Whether a ticket of this age is to be replaced.
    pub(crate) fn is_rotation_due(&self, issued: u64, now: u64) -> bool {
        self.rotation
            .is_some_and(|rotation| now.saturating_sub(issued) >= millis(rotation))
    }

    /// Whether the grace of a rotation is over.
    pub(crate) fn is_grace_over(&self, issued: u64, now: u64) -> bool {
        now.saturating_sub(issued) > millis(self.grace)
    }

    /// Whether a session of this size must not become: what is too large may only become smaller.
    pub(crate) fn is_too_large(&self, size: usize, before: usize) -> bool {
        size > self.largest && size > before
    }

    /// How many milliseconds longer a token has to be remembered that ends then, if that is known.
    pub(crate) fn token_millis(&self, ends: Option<Timestamp>, now: Timestamp) -> u64 {
        let left = ends.map_or(UNKNOWN_TOKEN, |ends| (ends + self.leeway).since(now));
        millis(left.min(LONGEST_TOKEN))
    }

    /// How long what a rotation leaves is there, from when the old ticket leads on for its grace only.
    pub(crate) fn trail_millis(&self) -> u64 {
        millis(self.grace + TRAIL)
    }

    pub(crate) fn idle_millis(&self) -> u64 {
        millis(self.idle)
    }

    pub(crate) fn absolute_millis(&self) -> u64 {
        millis(self.absolute)
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(24 * 3600),
            absolute: Duration::from_secs(30 * 24 * 3600),
            grace: Duration::from_secs(10),
            rotation: None,
            leeway: Duration::from_secs(60),
            largest: 64 << 10,
            most_per_user: 100,
            oldest_gives_way: true,
        }
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What browsers let a cookie live at the most (RFC 6265bis §5.5).
pub(crate) const LONGEST: Duration = Duration::from_secs(400 * 24 * 3600);

const LONGEST_GRACE: Duration = Duration::from_secs(3600);

const MOST_SESSIONS: u32 = 1000;

/// How long it is remembered that a session ended.
pub(crate) const TOMBSTONE: Duration = Duration::from_secs(60);

/// How long requests that are under way find a session that was rotated, after its grace.
pub(crate) const TRAIL: Duration = Duration::from_secs(3600);

const SHORTEST_ROTATION: Duration = Duration::from_secs(60);

const LONGEST_LEEWAY: Duration = Duration::from_secs(24 * 3600);

/// How long a token stays revoked of which nobody knows when it ends, and any other at the most.
const UNKNOWN_TOKEN: Duration = Duration::from_secs(7 * 24 * 3600);
const LONGEST_TOKEN: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
