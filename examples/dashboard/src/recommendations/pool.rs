//! Everyone and everything that could be recommended, as vectors.

use std::collections::HashMap;

use crate::{database::Queries, http::Problem, model::Profile};

/// An open job.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: i64,
    pub(super) title: String,
    pub(super) company: String,
    pub(super) location: String,
    pub(super) profile: Profile,
}

/// A candidate and the job they applied for.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) id: i64,
    pub(super) job: i64,
    pub(super) profile: Profile,
}

/// All of it, in four statements.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) jobs: Vec<Job>,
    pub(super) peers: Vec<Peer>,
}

impl Pool {
    pub(super) fn load(sql: &Queries<'_>) -> Result<Self, Problem> {
        let mut jobs = jobs(sql)?;
        let place: HashMap<i64, usize> = jobs
            .iter()
            .enumerate()
            .map(|(index, job)| (job.id, index))
            .collect();
        for (job, skill) in pairs(sql, "SELECT job_id, skill FROM job_skills")? {
            if let Some(index) = place.get(&job) {
                jobs[*index].profile.add_skill(skill);
            }
        }
        Ok(Self {
            jobs,
            peers: peers(sql)?,
        })
    }
}

fn jobs(sql: &Queries<'_>) -> rusqlite::Result<Vec<Job>> {
    sql.all(JOBS, [], |row| {
        let (location, seniority): (String, String) = (row.get(3)?, row.get(4)?);
        let profile = Profile::new(&location, &seniority, row.get(5)?, None);
        Ok(Job {
            id: row.get(0)?,
            title: row.get(1)?,
            company: row.get(2)?,
            location,
            profile,
        })
    })
}

fn peers(sql: &Queries<'_>) -> rusqlite::Result<Vec<Peer>> {
    let mut peers = sql.all(PEERS, [], |row| {
        let (location, seniority): (String, String) = (row.get(2)?, row.get(3)?);
        let profile = Profile::new(&location, &seniority, row.get(4)?, Some(row.get(5)?));
        Ok(Peer {
            id: row.get(0)?,
            job: row.get(1)?,
            profile,
        })
    })?;
    let place: HashMap<i64, usize> = peers
        .iter()
        .enumerate()
        .map(|(index, peer)| (peer.id, index))
        .collect();
    for (peer, skill) in pairs(sql, "SELECT candidate_id, skill FROM candidate_skills")? {
        if let Some(index) = place.get(&peer) {
            peers[*index].profile.add_skill(skill);
        }
    }
    Ok(peers)
}

fn pairs(sql: &Queries<'_>, statement: &str) -> rusqlite::Result<Vec<(i64, usize)>> {
    sql.all(statement, [], |row| Ok((row.get(0)?, row.get(1)?)))
}

const JOBS: &str = "
    SELECT j.id, j.title, o.name, j.location, j.seniority, (j.salary_min + j.salary_max) / 2
    FROM jobs j JOIN companies o ON o.id = j.company_id
    WHERE j.open ORDER BY j.id";

const PEERS: &str = "
    SELECT id, job_id, location, seniority, expected_salary, experience_years
    FROM candidates ORDER BY id";
