//! Until when the doubts of others are believed to have a living writer.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use crate::log::{doubts::Begun, random};

/// When each doubt will be ended from here, by this process's own clock.
#[derive(Debug, Default)]
pub(super) struct Leases(HashMap<u64, Instant>);

impl Leases {
    /// Those whose time is over. One that is still open a second later is named again.
    pub(super) fn overdue<'a>(
        &mut self,
        open: impl Iterator<Item = &'a Begun>,
        now: Instant,
    ) -> Vec<Begun> {
        let mut before = std::mem::take(&mut self.0);
        let mut overdue = Vec::new();
        for begun in open {
            let known = before.remove(&begun.id);
            let mut end = known.unwrap_or_else(|| now + begun.lease + jitter());
            if end <= now {
                overdue.push(begun.clone());
                end = now + TRY_AGAIN + jitter();
            }
            self.0.insert(begun.id, end);
        }
        overdue
    }
}

/// So that mostly one process ends what all see run out.
fn jitter() -> Duration {
    Duration::from_millis(random() % 500)
}

const TRY_AGAIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubt_is_overdue_after_its_lease_and_is_forgotten_with_its_end() {
        let mut leases = Leases::default();
        let begun = Begun::new(1, Duration::from_secs(5), &[]);
        let start = Instant::now();
        let mut overdue = |open: &[Begun], after| {
            let now = start + Duration::from_secs(after);
            leases.overdue(open.iter(), now).len()
        };
        let open = [begun];
        assert_eq!(overdue(&open, 0), 0);
        assert_eq!(overdue(&open, 4), 0);
        assert_eq!(overdue(&open, 6), 1);
        assert_eq!(overdue(&open, 6), 0, "its end is on the way");
        assert_eq!(overdue(&open, 9), 1);
        assert_eq!(overdue(&[], 9), 0);
        assert_eq!(overdue(&open, 20), 0, "a new one");
    }
}
