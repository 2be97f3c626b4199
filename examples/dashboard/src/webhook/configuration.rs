//! A company's configuration, checked and compiled.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    availability::{Availability, Rule},
    event::Booking,
};
use crate::{database::Queries, http::Problem};

/// What a delivery is checked against.
///
/// Compiled from some twenty thousand rows in tables without an index on the
/// company, it is what makes an uncached delivery slow.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Configuration {
    most_per_day: u32,
    longest_minutes: i64,
    notified: BTreeSet<String>,
    pipelines: BTreeMap<String, Vec<Stage>>,
    availability: Availability,
}

#[derive(Debug, Deserialize, Serialize)]
struct Stage {
    name: String,
    most_days: i64,
}

impl Configuration {
    pub(crate) fn load(sql: &Queries<'_>, company: i64) -> Result<Self, Problem> {
        let settings: BTreeMap<String, String> = sql
            .all(SETTINGS, [company], |row| Ok((row.get(0)?, row.get(1)?)))?
            .into_iter()
            .collect();
        let rules = sql.all(RULES, [company], rule)?;
        Ok(Self {
            most_per_day: number(&settings, "interviews.most_per_day")?,
            longest_minutes: number(&settings, "interviews.longest_minutes")?,
            notified: settings
                .iter()
                .filter(|(key, value)| key.starts_with("notify.") && *value == "on")
                .map(|(key, _)| key.clone())
                .collect(),
            pipelines: pipelines(sql, company)?,
            availability: Availability::compile(&rules).map_err(Problem::internal)?,
        })
    }

    /// Whether the company's rules allow this interview.
    pub(super) fn check(&self, booking: &Booking) -> Result<(), Problem> {
        if !(1..=self.longest_minutes).contains(&booking.minutes) {
            let longest = self.longest_minutes;
            return Err(Problem::unprocessable(format!(
                "an interview has 1 to {longest} minutes"
            )));
        }
        if !self.availability.knows(booking.interviewer) {
            return Err(Problem::unprocessable(
                "the interviewer is not one of this company",
            ));
        }
        if !KINDS.contains(&booking.kind.as_str()) {
            return Err(Problem::unprocessable("there is no such kind of interview"));
        }
        if !self
            .availability
            .is_free(booking.interviewer, booking.starts_at, booking.minutes)
        {
            return Err(Problem::unprocessable(
                "the interviewer is not available at this time",
            ));
        }
        Ok(())
    }

    pub(super) fn check_day(&self, already: u32) -> Result<(), Problem> {
        if already < self.most_per_day {
            Ok(())
        } else {
            Err(Problem::unprocessable(
                "the interviewer has enough interviews on this day",
            ))
        }
    }

    /// Free times as pairs of interviewer and start.
    pub(crate) fn free_times(&self, minutes: i64) -> impl Iterator<Item = (i64, i64)> {
        self.availability.free_times(minutes)
    }

    pub(crate) fn most_per_day(&self) -> u32 {
        self.most_per_day
    }
}

fn number<T: std::str::FromStr>(
    settings: &BTreeMap<String, String>,
    key: &str,
) -> Result<T, Problem> {
    settings
        .get(key)
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| Problem::internal(format!("the setting {key} is missing or wrong")))
}

fn pipelines(sql: &Queries<'_>, company: i64) -> Result<BTreeMap<String, Vec<Stage>>, Problem> {
    let mut pipelines: BTreeMap<String, Vec<Stage>> = BTreeMap::new();
    let rows = sql.all(STAGES, [company], |row| {
        let stage = Stage {
            name: row.get(2)?,
            most_days: row.get(3)?,
        };
        Ok((row.get::<_, String>(0)?, row.get::<_, usize>(1)?, stage))
    })?;
    for (pipeline, position, stage) in rows {
        let stages = pipelines.entry(pipeline).or_default();
        if position != stages.len() {
            return Err(Problem::internal("a pipeline of the company has a gap"));
        }
        stages.push(stage);
    }
    Ok(pipelines)
}

fn rule(row: &rusqlite::Row<'_>) -> rusqlite::Result<Rule> {
    Ok(Rule {
        interviewer: row.get(0)?,
        opens: row.get(1)?,
        weekdays: row.get(2)?,
        days: (row.get(3)?, row.get(4)?),
        minutes: (row.get(5)?, row.get(6)?),
    })
}

const KINDS: &[&str] = &["phone", "technical", "onsite", "culture", "final"];

const SETTINGS: &str = "SELECT key, value FROM company_settings WHERE company_id = ?1";

const STAGES: &str = "
    SELECT pipeline, position, name, most_days FROM pipeline_stages
    WHERE company_id = ?1 ORDER BY pipeline, position";

/// Working hours open a calendar, then everything else closes parts of it.
const RULES: &str = "
    SELECT interviewer_id, kind = 'working', weekdays, first_day, last_day, from_minute, to_minute
    FROM calendar_rules
    WHERE company_id = ?1
    ORDER BY interviewer_id, kind <> 'working', id";
