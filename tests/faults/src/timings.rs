use std::{collections::BTreeMap, fmt, time::Duration};

use crate::{Answer, DEADLINE, SLACK};

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A recruiter's dashboard.
    Dashboard,
    /// One candidate.
    Candidate,
    /// A page of candidates.
    List,
    /// The catalog of jobs.
    Jobs,
    /// The change of a status.
    Change,
}

/// How many answers of each kind there were, how long the slowest took, and how many were hits.
#[derive(Clone, Debug, Default)]
pub struct Timings(BTreeMap<Kind, Line>);

#[derive(Clone, Debug, Default)]
struct Line {
    answers: usize,
    hits: usize,
    slowest: Duration,
}

impl Timings {
    pub(crate) fn note(&mut self, kind: Kind, answer: &Answer) {
        let line = self.0.entry(kind).or_default();
        line.answers += 1;
        line.hits += usize::from(answer.is_hit());
        line.slowest = line.slowest.max(answer.took);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (kind, more) in &other.0 {
            let line = self.0.entry(*kind).or_default();
            line.answers += more.answers;
            line.hits += more.hits;
            line.slowest = line.slowest.max(more.slowest);
        }
    }

    /// All answers.
    #[must_use]
    pub fn answers(&self) -> usize {
        self.0.values().map(|line| line.answers).sum()
    }

    /// Those from the cache.
    #[must_use]
    pub fn hits(&self) -> usize {
        self.0.values().map(|line| line.hits).sum()
    }

    /// Checks that no answer took longer than the store's deadline, its uncached time under the same
    /// load, and what a busy machine may add.
    ///
    /// # Panics
    ///
    /// If one did.
    pub fn assert_bounded_by(&self, uncached: &Self) {
        for (kind, line) in &self.0 {
            let uncached = uncached.0.get(kind).map_or(Duration::ZERO, |l| l.slowest);
            let bound = DEADLINE + uncached + SLACK;
            assert!(
                line.slowest <= bound,
                "{kind:?}: one took {:?}, over {bound:?}\n{self}",
                line.slowest
            );
        }
    }
}

impl fmt::Display for Timings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, line) in &self.0 {
            let Line {
                answers,
                hits,
                slowest,
            } = line;
            let kind = format!("{kind:?}");
            writeln!(
                f,
                "  {kind:<9} {answers:>6} answers, {hits:>6} hits, slowest {slowest:?}"
            )?;
        }
        Ok(())
    }
}
