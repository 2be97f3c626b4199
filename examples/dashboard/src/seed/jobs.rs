//! Jobs with the facets that the catalog filters by.

use rusqlite::{Connection, params};

use super::{DAY, Random, TODAY, Volume, words};

pub(super) fn fill(connection: &Connection, volume: &Volume) -> rusqlite::Result<()> {
    let mut random = Random::new("jobs");
    let mut job = connection.prepare(
        "INSERT INTO jobs (id, company_id, title, location, seniority, remote, salary_min,
             salary_max, posted_at, open, description)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    for id in 1..=volume.jobs {
        let seniority = random.weighted(words::SENIORITIES);
        let salary = salary(&mut random, seniority);
        job.execute(params![
            id,
            (id - 1) % volume.companies + 1,
            random.pick(words::ROLES),
            random.pick(words::LOCATIONS),
            seniority,
            random.chance(0.4),
            salary,
            salary + 5_000 + 1_000 * random.range(0, 20),
            TODAY - random.range(0, 90 * DAY),
            random.chance(0.8),
            description(&mut random),
        ])?;
    }
    skills(connection, "job_skills", "job_id", volume.jobs, 6)
}

/// Gives each of `count` owners between two and `most` different skills.
pub(super) fn skills(
    connection: &Connection,
    table: &'static str,
    owner: &'static str,
    count: i64,
    most: i64,
) -> rusqlite::Result<()> {
    let mut random = Random::new(table);
    let mut insert = connection.prepare(&format!(
        "INSERT OR IGNORE INTO {table} ({owner}, skill) VALUES (?1, ?2)"
    ))?;
    for id in 1..=count {
        for _ in 0..random.range(2, most + 1) {
            insert.execute(params![id, random.index(words::SKILLS.len()) as i64])?;
        }
    }
    Ok(())
}

/// What a level earns, give or take.
pub(super) fn salary(random: &mut Random, seniority: &str) -> i64 {
    let base = match seniority {
        "junior" => 42_000,
        "mid" => 58_000,
        "senior" => 78_000,
        "staff" => 98_000,
        _ => 118_000,
    };
    base + 1_000 * random.range(-6, 12)
}

fn description(random: &mut Random) -> String {
    let sentences: Vec<&str> = (0..6).map(|_| random.pick(words::DESCRIPTION)).collect();
    sentences.join(" ")
}
