//! How many jobs each further choice would leave.

use serde::Serialize;

use super::filter::{Facet, JobFilter, WHERE};
use crate::{database::Queries, seed::words};

#[derive(Debug, Serialize)]
pub(super) struct Facets {
    location: Vec<Choice>,
    seniority: Vec<Choice>,
    skill: Vec<Choice>,
    remote: Vec<Choice>,
    salary_from: Vec<Choice>,
}

#[derive(Debug, Serialize)]
struct Choice {
    value: String,
    jobs: i64,
}

pub(super) fn load(sql: &Queries<'_>, filter: &JobFilter) -> rusqlite::Result<Facets> {
    Ok(Facets {
        location: choices(sql, &filter.without(Facet::Location), "j.location", "")?,
        seniority: choices(sql, &filter.without(Facet::Seniority), "j.seniority", "")?,
        skill: skills(sql, &filter.without(Facet::Skill))?,
        remote: choices(sql, &filter.without(Facet::Remote), REMOTE, "")?,
        salary_from: choices(sql, &filter.without(Facet::Salary), SALARY, "")?,
    })
}

fn skills(sql: &Queries<'_>, filter: &JobFilter) -> rusqlite::Result<Vec<Choice>> {
    let join = "JOIN job_skills k ON k.job_id = j.id";
    let mut choices = choices(sql, filter, "CAST(k.skill AS TEXT)", join)?;
    for choice in &mut choices {
        let name = choice
            .value
            .parse()
            .ok()
            .and_then(|skill: usize| words::SKILLS.get(skill));
        choice.value = name.copied().unwrap_or_default().to_owned();
    }
    choices.sort_by(|a, b| b.jobs.cmp(&a.jobs).then_with(|| a.value.cmp(&b.value)));
    Ok(choices)
}

/// `value` and `join` are constants of this file, never input.
fn choices(
    sql: &Queries<'_>,
    filter: &JobFilter,
    value: &'static str,
    join: &'static str,
) -> rusqlite::Result<Vec<Choice>> {
    let statement =
        format!("SELECT {value}, count(*) FROM jobs j {join} WHERE {WHERE} GROUP BY 1 ORDER BY 1");
    sql.all(&statement, filter.params().as_slice(), |row| {
        Ok(Choice {
            value: row.get(0)?,
            jobs: row.get(1)?,
        })
    })
}

const REMOTE: &str = "CASE WHEN j.remote THEN 'true' ELSE 'false' END";

const SALARY: &str = "printf('%06d', j.salary_max / 20000 * 20000)";
