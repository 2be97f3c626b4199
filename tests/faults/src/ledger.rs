use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::Hiring;

/// What a candidate's status can be.
pub const STATUSES: [&str; 7] = [
    "applied",
    "screening",
    "interview",
    "offer",
    "hired",
    "rejected",
    "withdrawn",
];

/// Who was changed to what and when, and so what a reader may be told.
///
/// Each candidate has one writer at a time. A version may be read from the moment its change was sent
/// until the next change was *answered*, and for a grace after that where the reader asks another
/// process than the writer.
#[derive(Debug, Default)]
pub struct Ledger {
    candidates: Mutex<BTreeMap<i64, Vec<Version>>>,
}

#[derive(Debug)]
struct Version {
    status: String,
    sent: Instant,
    answered: Option<Instant>,
}

impl Ledger {
    /// The ledger of these candidates as they are now.
    #[must_use]
    pub fn of(hiring: &Hiring, candidates: impl IntoIterator<Item = i64>) -> Self {
        let now = Instant::now();
        let first = |id| {
            let version = Version {
                status: hiring.status_of(id),
                sent: now,
                answered: Some(now),
            };
            (id, vec![version])
        };
        Self {
            candidates: Mutex::new(candidates.into_iter().map(first).collect()),
        }
    }

    /// The status after the last one, in the order of [`STATUSES`].
    ///
    /// # Panics
    ///
    /// If the candidate is not in the ledger.
    #[must_use]
    pub fn next_status(&self, candidate: i64) -> &'static str {
        self.with(candidate, |versions| {
            let last = &versions.last().expect("a first version").status;
            let at = STATUSES.iter().position(|status| status == last);
            STATUSES[(at.expect("a known status") + 1) % STATUSES.len()]
        })
    }

    /// The status of the last change.
    ///
    /// # Panics
    ///
    /// If the candidate is not in the ledger.
    #[must_use]
    pub fn last_status(&self, candidate: i64) -> String {
        self.with(candidate, |versions| {
            versions.last().expect("a first version").status.clone()
        })
    }

    /// A change is being sent.
    pub fn sending(&self, candidate: i64, status: &str) {
        let version = Version {
            status: status.to_owned(),
            sent: Instant::now(),
            answered: None,
        };
        self.with(candidate, |versions| versions.push(version));
    }

    /// The last change has been answered.
    pub fn answered(&self, candidate: i64) {
        self.with(candidate, |versions| {
            versions.last_mut().expect("a change").answered = Some(Instant::now());
        });
    }

    /// Checks what a reader was told who asked at `asked` and has the answer now.
    ///
    /// # Panics
    ///
    /// If no version of that time has this status.
    pub fn check(&self, candidate: i64, seen: &str, asked: Instant, grace: Duration) {
        let told = Instant::now();
        self.with(candidate, |versions| {
            let may_be_read = |at: usize| {
                let superseded = versions.get(at + 1).and_then(|next| next.answered);
                versions[at].sent <= told
                    && superseded.is_none_or(|superseded| superseded + grace >= asked)
            };
            let is_right =
                (0..versions.len()).any(|at| versions[at].status == seen && may_be_read(at));
            assert!(
                is_right,
                "candidate {candidate} was shown as {seen:?} to who asked {:?} ago; \
                 a grace of {grace:?} has passed; it was {}",
                told - asked,
                history(versions, told),
            );
        });
    }

    /// Whether this ledger knows of the candidate.
    #[must_use]
    pub fn knows(&self, candidate: i64) -> bool {
        let candidates = self.candidates.lock();
        let candidates = candidates.unwrap_or_else(PoisonError::into_inner);
        candidates.contains_key(&candidate)
    }

    fn with<T>(&self, candidate: i64, what: impl FnOnce(&mut Vec<Version>) -> T) -> T {
        let candidates = self.candidates.lock();
        let mut candidates = candidates.unwrap_or_else(PoisonError::into_inner);
        what(candidates.get_mut(&candidate).expect("a known candidate"))
    }
}

/// The last versions, for a test that failed.
fn history(versions: &[Version], now: Instant) -> String {
    let last = &versions[versions.len().saturating_sub(4)..];
    let lines = last.iter().map(|version| {
        let answered = version.answered.map(|at| now - at);
        format!(
            "{:?} (sent {:?} ago, answered {answered:?} ago)",
            version.status,
            now - version.sent
        )
    });
    lines.collect::<Vec<_>>().join(", then ")
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        time::{Duration, Instant},
    };

    use super::Ledger;
    use crate::Hiring;

    fn is_accepted(ledger: &Ledger, seen: &str, asked: Instant, grace: Duration) -> bool {
        catch_unwind(AssertUnwindSafe(|| ledger.check(1, seen, asked, grace))).is_ok()
    }

    #[test]
    fn a_reader_may_be_told_both_while_a_change_is_under_way_and_only_the_new_one_after_it() {
        let ledger = Ledger::of(&Hiring::new(), [1]);
        let (old, new) = (ledger.last_status(1), ledger.next_status(1));
        let asked = Instant::now();
        assert!(!is_accepted(&ledger, new, asked, Duration::ZERO));
        ledger.sending(1, new);
        assert!(is_accepted(&ledger, &old, Instant::now(), Duration::ZERO));
        assert!(is_accepted(&ledger, new, Instant::now(), Duration::ZERO));
        ledger.answered(1);
        assert!(is_accepted(&ledger, &old, asked, Duration::ZERO));
        let later = Instant::now() + Duration::from_millis(1);
        assert!(is_accepted(&ledger, new, later, Duration::ZERO));
        assert!(!is_accepted(&ledger, &old, later, Duration::ZERO));
        assert!(is_accepted(&ledger, &old, later, Duration::from_secs(1)));
    }
}
