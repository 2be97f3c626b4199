//! What the kinds promise, counted over what was admitted.

use tower_keep_test_support::{Random, seed};

use super::{
    super::{Rule, State},
    case::{Case, END, Kind, moment, stored},
};

const SCHEDULES: u64 = 1_000;
const OPERATIONS: u64 = 500;

/// How many admissions back each one is counted.
const BACK: usize = 48;

struct Run {
    case: Case,
    rule: Rule,
    state: State,
    now: u64,
    admitted: Vec<(u64, u64)>,
}

impl Run {
    fn new(case: Case, random: &mut Random) -> Self {
        Self {
            case,
            rule: case.rule(),
            state: State::default(),
            now: moment(random),
            admitted: Vec::new(),
        }
    }

    /// Whether something was admitted.
    fn operation(&mut self, random: &mut Random) -> bool {
        self.now = self.case.later(random, self.now, &self.state);
        let available = self.rule.available(&self.state, self.now);
        let units = self.case.cost(random, available);
        if units > available {
            return false;
        }
        let charged = self.rule.charge(&self.state, self.now, units);
        if random.one_in(10) {
            self.state = stored(self.rule.refund(&charged, self.now, units, u64::MAX));
            return false;
        }
        self.state = stored(charged);
        self.admitted.push((self.now, units));
        true
    }

    /// The latest admissions and all between them, the shortest time first.
    fn intervals(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let latest = self.admitted.iter().rev().take(BACK);
        latest.scan(0, |sum, (time, units)| {
            *sum += units;
            Some((*time, *sum))
        })
    }

    fn check(&self) {
        for (since, sum) in self.intervals() {
            let most = match self.case.kind {
                Kind::Gcra => self.most_in(self.now - since),
                Kind::Strict if self.now - since < self.case.window => self.case.limit,
                Kind::Fixed if self.now / self.case.window == since / self.case.window => {
                    self.case.limit
                }
                _ => break,
            };
            let (case, now) = (self.case, self.now);
            assert!(sum <= most, "{case:?}: {sum} units from {since} to {now}");
        }
    }

    fn most_in(&self, time: u64) -> u64 {
        let more = u128::from(time) * u128::from(self.case.limit) / u128::from(self.case.window);
        self.case.burst + u64::try_from(more).expect("a count")
    }
}

/// How many operations there were.
fn hold(kind: Kind) -> u64 {
    let mut random = Random::new(seed());
    let mut operations = 0;
    for _ in 0..SCHEDULES {
        let case = Case::random(kind, &mut random);
        let mut run = Run::new(case, &mut random);
        for _ in 0..OPERATIONS {
            if run.now >= END {
                break;
            }
            operations += 1;
            if run.operation(&mut random) {
                run.check();
            }
        }
    }
    operations
}

#[test]
fn no_time_sees_more_than_the_burst_and_what_comes_back_in_it() {
    assert!(hold(Kind::Gcra) > 350_000);
}

#[test]
fn no_window_sees_more_than_a_strict_limit() {
    assert!(hold(Kind::Strict) > 350_000);
}

#[test]
fn no_calendar_window_sees_more_than_its_limit() {
    assert!(hold(Kind::Fixed) > 350_000);
}
