use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::Life;

/// What is read: a page, or a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Whether it is a page; else a value.
    pub is_page: bool,
    /// Of which item.
    pub item: u64,
}

/// Which versions were said to be the oldest that may be shown, when, and through whom; and so what a
/// reader may be shown.
///
/// An invalidation of version *v* returned `Ok`. Who asks *after that* must be shown *v* or a later
/// version: at once by the process through which it was said, for as long as that lives; by the others once the
/// bound has passed. No reader may be shown what was not committed yet when its answer came.
///
/// That is all that may be expected. Before the `Ok` one and the same process may well show *v* and after
/// that *v* - 1: two fetches that overlap may end in either order, and both are right.
#[derive(Debug)]
pub struct Ledger {
    pages: Vec<Mutex<Known>>,
    values: Vec<Mutex<Known>>,
    bound: Duration,
    report: Mutex<Report>,
}

/// What is said of one subject.
#[derive(Debug, Default)]
struct Known {
    /// What all must show by now.
    floor: u64,
    /// What was said lately, oldest first.
    lately: VecDeque<Said>,
}

#[derive(Clone, Copy, Debug)]
struct Said {
    version: u64,
    at: Instant,
    through: Life,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Answers that were checked.
    pub answers: u64,
    /// Of these, those that the cache says it gave.
    pub hits: u64,
    /// Requests that nobody answered: their process was killed.
    pub unanswered: u64,
    /// Invalidations that returned `Ok`.
    pub invalidations: u64,
    /// Invalidations that did not.
    pub unsure: u64,
    /// Answers older than the newest version that had been invalidated, within the bound.
    pub late: u64,
    /// By how much the latest of those was late.
    pub latest: Duration,
    /// Answers that must not have been given.
    pub wrong: u64,
    /// What the first of them were.
    pub first_wrong: Vec<String>,
}

/// What a reader who asks now must be shown.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    subject: Subject,
    life: Life,
    at: Instant,
    /// The oldest version that may be shown.
    least: u64,
    /// The newest that was said of, and when.
    newest: Option<Said>,
}

impl Ledger {
    /// A ledger of so many items. `bound` is how long what was invalidated elsewhere may be shown.
    #[must_use]
    pub fn new(items: usize, bound: Duration) -> Self {
        let known = || (0..items).map(|_| Mutex::default()).collect();
        Self {
            pages: known(),
            values: known(),
            bound,
            report: Mutex::default(),
        }
    }

    /// Somebody begins to ask this life of a process.
    #[must_use]
    pub fn asks(&self, subject: Subject, life: Life) -> Asked {
        let mut known = self.known(subject);
        let at = Instant::now();
        known.settle(at, self.bound);
        let through_it = known.lately.iter().filter(|said| is_of(said.through, life));
        let least = through_it.map(|said| said.version).max();
        Asked {
            subject,
            life,
            at,
            least: known.floor.max(least.unwrap_or(0)),
            newest: known.lately.iter().copied().max_by_key(|said| said.version),
        }
    }

    /// It was shown `version`, of which the database had `committed` when the answer came.
    pub fn is_shown(&self, asked: Asked, version: u64, committed: u64, is_hit: bool) {
        let mut report = self.report();
        report.answers += 1;
        report.hits += u64::from(is_hit);
        if let Some(newest) = asked.newest
            && version < newest.version
        {
            report.late += 1;
            report.latest = report
                .latest
                .max(asked.at.saturating_duration_since(newest.at));
        }
        if version < asked.least || version > committed {
            report.wrong += 1;
            if report.first_wrong.len() < MOST_LINES {
                let line = wrong(asked, version, committed, is_hit);
                report.first_wrong.push(line);
            }
        }
    }

    /// Nobody answered.
    pub fn is_unanswered(&self) {
        self.report().unanswered += 1;
    }

    /// An invalidation of these versions, through this life of a process, returned `Ok`.
    pub fn invalidated(&self, versions: &[(Subject, u64)], through: Life) {
        for &(subject, version) in versions {
            let said = Said {
                version,
                at: Instant::now(),
                through,
            };
            self.known(subject).lately.push_back(said);
        }
        self.report().invalidations += 1;
    }

    /// An invalidation did not return `Ok`: nothing follows from it.
    pub fn is_unsure(&self) {
        self.report().unsure += 1;
    }

    /// What was seen so far.
    #[must_use]
    pub fn seen(&self) -> Report {
        self.report().clone()
    }

    fn known(&self, subject: Subject) -> MutexGuard<'_, Known> {
        let known = match subject.is_page {
            true => &self.pages,
            false => &self.values,
        };
        let item = usize::try_from(subject.item).expect("a small number");
        known[item].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// What was said longer ago than the bound holds for all.
    fn settle(&mut self, now: Instant, bound: Duration) {
        while let Some(said) = self.lately.front()
            && now.saturating_duration_since(said.at) > bound
        {
            self.floor = self.floor.max(said.version);
            self.lately.pop_front();
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} answers checked ({} of them hits), {} unanswered; {} invalidations sure, {} not",
            self.answers, self.hits, self.unanswered, self.invalidations, self.unsure
        )?;
        writeln!(
            f,
            "{} answers older than an invalidation elsewhere, the latest {:?} after it; {} WRONG",
            self.late, self.latest, self.wrong
        )?;
        self.first_wrong
            .iter()
            .try_for_each(|line| writeln!(f, "  {line}"))
    }
}

fn is_of(one: Life, other: Life) -> bool {
    (one.node, one.number) == (other.node, other.number)
}

fn wrong(asked: Asked, version: u64, committed: u64, is_hit: bool) -> String {
    let Asked {
        subject,
        life,
        at,
        least,
        newest,
    } = asked;
    let kind = if subject.is_page { "page" } else { "object" };
    let said = newest.map(|said| {
        let ago = at.saturating_duration_since(said.at);
        format!(
            "; {} was invalidated {ago:?} before through process {}",
            said.version, said.through.node
        )
    });
    format!(
        "{kind} {} was shown as version {version} by process {} (life {}) to who asked {:?} ago{}; \
         {least} had to be shown, {committed} was committed{}",
        subject.item,
        life.node,
        life.number,
        at.elapsed(),
        if is_hit { ", from the cache" } else { "" },
        said.unwrap_or_default()
    )
}

/// A test that failed need not say all.
const MOST_LINES: usize = 8;

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, time::Duration};

    use super::{Ledger, Subject};
    use crate::Life;

    const ITEM: Subject = Subject {
        is_page: true,
        item: 0,
    };

    fn life(node: usize, number: u32) -> Life {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        Life {
            node,
            number,
            address,
        }
    }

    fn is_wrong(ledger: &Ledger, life: Life, version: u64) -> bool {
        let before = ledger.seen().wrong;
        ledger.is_shown(ledger.asks(ITEM, life), version, 9, true);
        ledger.seen().wrong > before
    }

    #[test]
    fn within_the_bound_only_the_process_that_invalidated_must_know() {
        let ledger = Ledger::new(1, Duration::from_secs(100));
        let asked_before = ledger.asks(ITEM, life(0, 0));
        ledger.invalidated(&[(ITEM, 2)], life(0, 0));
        assert!(is_wrong(&ledger, life(0, 0), 1));
        assert!(!is_wrong(&ledger, life(0, 0), 2));
        assert!(!is_wrong(&ledger, life(0, 1), 1));
        assert!(!is_wrong(&ledger, life(1, 0), 1));
        assert!(is_wrong(&ledger, life(1, 0), 10));
        ledger.is_shown(asked_before, 1, 9, true);
        assert_eq!(ledger.seen().wrong, 2);
    }

    #[test]
    fn after_the_bound_all_must() {
        let ledger = Ledger::new(1, Duration::ZERO);
        ledger.invalidated(&[(ITEM, 2)], life(0, 0));
        std::thread::sleep(Duration::from_millis(1));
        assert!(is_wrong(&ledger, life(0, 1), 1));
        assert!(is_wrong(&ledger, life(1, 0), 1));
        assert!(!is_wrong(&ledger, life(1, 0), 3));
    }
}
