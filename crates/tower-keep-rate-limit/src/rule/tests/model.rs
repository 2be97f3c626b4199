//! The models: a leaking bucket in whole numbers, a list of everything that was used, and a count.

pub(super) trait Model {
    fn available(&mut self, now: u64) -> u64;
    fn charge(&mut self, now: u64, units: u64);
    fn refund(&mut self, now: u64, units: u64);
    fn wait(&mut self, now: u64, units: u64) -> u64;
}

/// A unit fills it by `window`, a microsecond empties it by `limit`.
pub(super) struct Bucket {
    pub(super) limit: u128,
    pub(super) window: u128,
    pub(super) burst: u128,
    pub(super) filled: u128,
    pub(super) at: u64,
}

impl Bucket {
    fn leak(&mut self, now: u64) {
        let leaked = u128::from(now - self.at) * self.limit;
        self.filled = self.filled.saturating_sub(leaked);
        self.at = now;
    }

    fn holds(&self) -> u128 {
        self.burst * self.window
    }
}

impl Model for Bucket {
    fn available(&mut self, now: u64) -> u64 {
        self.leak(now);
        u64::try_from((self.holds() - self.filled) / self.window).expect("at most the burst")
    }

    fn charge(&mut self, now: u64, units: u64) {
        self.leak(now);
        self.filled = (self.filled + u128::from(units) * self.window).min(self.holds());
    }

    fn refund(&mut self, now: u64, units: u64) {
        self.leak(now);
        self.filled = self.filled.saturating_sub(u128::from(units) * self.window);
    }

    fn wait(&mut self, now: u64, units: u64) -> u64 {
        self.leak(now);
        let filled = self.filled + u128::from(units).min(self.burst) * self.window;
        let over = filled.saturating_sub(self.holds());
        u64::try_from(over.div_ceil(self.limit)).expect("at most a year")
    }
}

/// All that was used, each with its time: it counts in the sub-window of its time, and in those after it.
pub(super) struct List {
    pub(super) limit: u64,
    pub(super) part: u64,
    /// Sub-windows in which something counts.
    pub(super) counted: u64,
    pub(super) used: Vec<(u64, u64)>,
}

impl List {
    fn forgotten_at(&self, time: u64) -> u64 {
        (time / self.part + self.counted) * self.part
    }

    fn used(&self, now: u64) -> u64 {
        let counts = |used: &&(u64, u64)| self.forgotten_at(used.0) > now;
        self.used.iter().filter(counts).map(|used| used.1).sum()
    }

    fn forget(&mut self, now: u64) {
        let (part, counted) = (self.part, self.counted);
        self.used
            .retain(|(time, units)| *units > 0 && (time / part + counted) * part > now);
    }
}

impl Model for List {
    fn available(&mut self, now: u64) -> u64 {
        self.limit - self.used(now)
    }

    fn charge(&mut self, now: u64, units: u64) {
        self.forget(now);
        let units = units.min(self.available(now));
        self.used.push((now, units));
    }

    fn refund(&mut self, now: u64, units: u64) {
        self.forget(now);
        let mut left = units;
        for (_, units) in self.used.iter_mut().rev() {
            let given = left.min(*units);
            *units -= given;
            left -= given;
        }
    }

    fn wait(&mut self, now: u64, units: u64) -> u64 {
        let units = units.min(self.limit);
        if self.available(now) >= units {
            return 0;
        }
        // In the order of their times, so in the order in which they are forgotten.
        let mut moments: Vec<u64> = self
            .used
            .iter()
            .map(|used| self.forgotten_at(used.0))
            .collect();
        moments.retain(|moment| *moment > now);
        moments.dedup();
        let first = moments
            .into_iter()
            .find(|then| self.available(*then) >= units);
        first.expect("all are forgotten in the end") - now
    }
}

pub(super) struct Count {
    pub(super) limit: u64,
    pub(super) taken: u64,
}

impl Model for Count {
    fn available(&mut self, _: u64) -> u64 {
        self.limit.saturating_sub(self.taken)
    }

    fn charge(&mut self, _: u64, units: u64) {
        self.taken += units;
    }

    fn refund(&mut self, _: u64, units: u64) {
        self.taken = self.taken.saturating_sub(units);
    }

    fn wait(&mut self, now: u64, units: u64) -> u64 {
        let fits = self.available(now) >= units.min(self.limit);
        if fits { 0 } else { 1_000_000 }
    }
}
