//! Random schedules say the same as the models.

use tower_keep_test_support::{Random, seed};

use super::{
    super::{Rule, State},
    case::{Case, END, KINDS, Kind, moment, stored},
    model::Model,
};

const SCHEDULES: u64 = 700;
const OPERATIONS: u64 = 500;

struct Run<'a> {
    case: Case,
    rule: Rule,
    state: State,
    model: Box<dyn Model>,
    now: u64,
    charged: Vec<u64>,
    random: &'a mut Random,
}

impl<'a> Run<'a> {
    fn new(kind: Kind, random: &'a mut Random) -> Self {
        let case = Case::random(kind, random);
        Self {
            case,
            rule: case.rule(),
            state: State::default(),
            model: case.model(),
            now: moment(random),
            charged: Vec::new(),
            random,
        }
    }

    fn operation(&mut self) {
        self.now = self.case.later(self.random, self.now, &self.state);
        let available = self.rule.available(&self.state, self.now);
        let expected = self.model.available(self.now);
        assert_eq!(available, expected, "{:?} at {}", self.case, self.now);
        let units = self.case.cost(self.random, available);
        self.check_wait(units);
        match self.charged.pop() {
            Some(charged) if self.random.one_in(8) => self.refund(charged),
            Some(charged) => self.charged.push(charged),
            None => {}
        }
        // Seldom something that passed before its cost was known.
        if units <= self.rule.available(&self.state, self.now) || self.random.one_in(30) {
            self.charge(units);
        }
    }

    fn charge(&mut self, units: u64) {
        self.state = stored(self.rule.charge(&self.state, self.now, units));
        self.model.charge(self.now, units);
        self.charged.push(units);
    }

    fn refund(&mut self, units: u64) {
        self.state = stored(self.rule.refund(&self.state, self.now, units, u64::MAX));
        self.model.refund(self.now, units);
    }

    fn check_wait(&mut self, units: u64) {
        let (case, now) = (self.case, self.now);
        let wait = self.rule.wait(&self.state, now, units);
        let expected = self.model.wait(now, units);
        assert_eq!(wait, expected, "{case:?} at {now}, {units} units");
        if self.rule.only_time_gives_back() {
            let units = units.min(self.rule.most_at_once());
            let then = |then| self.rule.available(&self.state, then);
            assert!(
                then(now + wait) >= units,
                "{case:?} at {now}: waits too little"
            );
            let is_first = wait == 0 || then(now + wait - 1) < units;
            assert!(is_first, "{case:?} at {now}: {wait} is too long a wait");
        }
    }
}

#[test]
fn every_kind_says_the_same_as_its_model() {
    let mut random = Random::new(seed());
    for kind in KINDS {
        for _ in 0..SCHEDULES {
            let mut run = Run::new(kind, &mut random);
            for _ in 0..OPERATIONS {
                if run.now < END {
                    run.operation();
                }
            }
        }
    }
}
