//! When interviewers can be booked: calendar rules compiled into bits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::seed::{DAY, TODAY};

/// One row of `calendar_rules`.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) interviewer: i64,
    pub(super) opens: bool,
    pub(super) days: (i64, i64),
    pub(super) weekdays: i64,
    pub(super) minutes: (i64, i64),
}

/// For each interviewer a bit per quarter of an hour of the next 180 days, set
/// when the quarter is free.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Availability {
    interviewers: BTreeMap<i64, Vec<u64>>,
}

impl Availability {
    /// Applies the rules in their order: later ones overrule earlier ones.
    pub(super) fn compile(rules: &[Rule]) -> Result<Self, String> {
        let mut availability = Self::default();
        for rule in rules {
            rule.check()?;
            let bits = availability.interviewers.entry(rule.interviewer);
            rule.apply(bits.or_insert_with(|| vec![0; SLOTS.div_ceil(64)]));
        }
        Ok(availability)
    }

    pub(super) fn knows(&self, interviewer: i64) -> bool {
        self.interviewers.contains_key(&interviewer)
    }

    /// Whether every quarter of the interview is free.
    pub(super) fn is_free(&self, interviewer: i64, starts_at: i64, minutes: i64) -> bool {
        let Some(bits) = self.interviewers.get(&interviewer) else {
            return false;
        };
        // Checked before any arithmetic: both numbers come from outside.
        let calendar = TODAY..TODAY + DAYS * DAY;
        if !calendar.contains(&starts_at) || !(1..=24 * 60).contains(&minutes) {
            return false;
        }
        let first = (starts_at - TODAY) / QUARTER;
        let last = (starts_at + 60 * minutes - 1 - TODAY) / QUARTER;
        (first..=last).all(|slot| {
            usize::try_from(slot)
                .ok()
                .and_then(|slot| Some(bits.get(slot / 64)? >> (slot % 64) & 1 == 1))
                .unwrap_or(false)
        })
    }

    /// The first free times of this length, for those who want to book.
    pub(super) fn free_times(&self, minutes: i64) -> impl Iterator<Item = (i64, i64)> {
        self.interviewers.keys().flat_map(move |interviewer| {
            (0..SLOTS as i64)
                .map(|slot| TODAY + slot * QUARTER)
                .filter(move |start| self.is_free(*interviewer, *start, minutes))
                .map(|start| (*interviewer, start))
        })
    }
}

impl Rule {
    fn check(&self) -> Result<(), String> {
        let days = 0 <= self.days.0 && self.days.0 <= self.days.1 && self.days.1 < DAYS;
        let minutes = 0 <= self.minutes.0 && self.minutes.0 < self.minutes.1;
        if days && minutes && self.minutes.1 <= 24 * 60 && (1..128).contains(&self.weekdays) {
            Ok(())
        } else {
            Err(format!(
                "a calendar rule of interviewer {} makes no sense",
                self.interviewer
            ))
        }
    }

    fn apply(&self, bits: &mut [u64]) {
        for day in self.days.0..=self.days.1 {
            // The data set's today is a Monday, the lowest bit of `weekdays`.
            if self.weekdays >> (day % 7) & 1 == 0 {
                continue;
            }
            let first = (day * DAY + self.minutes.0 * 60) / QUARTER;
            let after = (day * DAY + self.minutes.1 * 60) / QUARTER;
            for slot in first as usize..after as usize {
                let bit = 1_u64 << (slot % 64);
                if self.opens {
                    bits[slot / 64] |= bit;
                } else {
                    bits[slot / 64] &= !bit;
                }
            }
        }
    }
}

const QUARTER: i64 = 15 * 60;

const DAYS: i64 = 180;

const SLOTS: usize = (DAYS * DAY / QUARTER) as usize;

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(opens: bool, days: (i64, i64), minutes: (i64, i64)) -> Rule {
        Rule {
            interviewer: 1,
            opens,
            days,
            weekdays: 0b11111,
            minutes,
        }
    }

    #[test]
    fn later_rules_overrule_earlier_ones() {
        let rules = [
            rule(true, (0, 6), (540, 1020)),
            rule(false, (1, 1), (600, 660)),
            rule(true, (1, 1), (600, 615)),
        ];
        let availability = Availability::compile(&rules).unwrap();
        let at = |day: i64, minute: i64| TODAY + day * DAY + minute * 60;
        assert!(availability.is_free(1, at(0, 540), 480));
        assert!(!availability.is_free(1, at(0, 540), 481));
        assert!(availability.is_free(1, at(1, 600), 15));
        assert!(!availability.is_free(1, at(1, 600), 30));
        assert!(!availability.is_free(1, at(5, 600), 15), "a Saturday");
        assert!(!availability.is_free(2, at(0, 600), 15), "a stranger");
        assert!(!availability.is_free(1, at(-1, 600), 15), "in the past");
        assert!(
            !availability.is_free(1, at(10_000, 600), 15),
            "beyond the calendar"
        );
        assert!(!availability.is_free(1, i64::MAX, 15) && !availability.is_free(1, i64::MIN, 15));
        assert_eq!(availability.free_times(60).next(), Some((1, at(0, 540))));
    }

    #[test]
    fn a_rule_without_sense_is_refused() {
        for bad in [
            rule(true, (3, 2), (0, 60)),
            rule(true, (-1, 2), (0, 60)),
            rule(true, (0, 180), (0, 60)),
            rule(true, (0, 1), (60, 60)),
            rule(true, (0, 1), (0, 1441)),
        ] {
            assert!(Availability::compile(&[bad]).is_err());
        }
    }
}
