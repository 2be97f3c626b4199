//! Candidates with their scores and interviews.

use rusqlite::{Connection, params};

use super::{DAY, Random, TODAY, Volume, full_name, jobs, mailbox, words};

pub(super) fn fill(connection: &Connection, volume: &Volume) -> rusqlite::Result<()> {
    let mut random = Random::new("candidates");
    let mut insert = connection.prepare(
        "INSERT INTO candidates (id, company_id, recruiter_id, job_id, name, email, status,
             location, seniority, source, experience_years, expected_salary, applied_at,
             status_changed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    for id in 1..=volume.candidates {
        let company = company_of(id, volume);
        let name = full_name(&mut random);
        let seniority = random.weighted(words::SENIORITIES);
        let applied = TODAY - random.range(0, 180 * DAY);
        insert.execute(params![
            id,
            company,
            (company - 1) * volume.recruiters_per_company
                + 1
                + random.range(0, volume.recruiters_per_company),
            company + volume.companies * random.range(0, volume.jobs / volume.companies),
            name,
            mailbox(&name, id),
            random.weighted(words::STATUSES),
            random.pick(words::LOCATIONS),
            seniority,
            random.weighted(words::SOURCES),
            experience(&mut random, seniority),
            jobs::salary(&mut random, seniority),
            applied,
            random.range(applied, TODAY),
        ])?;
    }
    jobs::skills(
        connection,
        "candidate_skills",
        "candidate_id",
        volume.candidates,
        8,
    )
}

pub(super) fn fill_scores(connection: &Connection, volume: &Volume) -> rusqlite::Result<()> {
    let mut random = Random::new("scores");
    let mut insert = connection.prepare(
        "INSERT INTO scores (candidate_id, kind, value, scored_at) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for _ in 0..volume.scores {
        let value = (0.62 + 0.17 * random.normal()).clamp(0.0, 1.0);
        insert.execute(params![
            random.range(1, volume.candidates + 1),
            random.pick(words::SCORE_KINDS),
            (value * 1000.0).round() / 1000.0,
            TODAY - random.range(0, 180 * DAY),
        ])?;
    }
    Ok(())
}

pub(super) fn fill_interviews(connection: &Connection, volume: &Volume) -> rusqlite::Result<()> {
    let mut random = Random::new("interviews");
    let mut insert = connection.prepare(
        "INSERT INTO interviews (candidate_id, interviewer_id, kind, starts_at, minutes, outcome)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for _ in 0..volume.interviews {
        let candidate = random.range(1, volume.candidates + 1);
        let company = company_of(candidate, volume);
        let starts_at = TODAY + DAY * random.range(-150, 30) + 900 * random.range(32, 68);
        insert.execute(params![
            candidate,
            (company - 1) * volume.interviewers_per_company
                + 1
                + random.range(0, volume.interviewers_per_company),
            random.weighted(words::INTERVIEW_KINDS),
            starts_at,
            15 * random.range(2, 7),
            if starts_at >= TODAY {
                "planned"
            } else {
                random.weighted(OUTCOMES)
            },
        ])?;
    }
    Ok(())
}

fn company_of(candidate: i64, volume: &Volume) -> i64 {
    (candidate - 1) % volume.companies + 1
}

fn experience(random: &mut Random, seniority: &str) -> i64 {
    match seniority {
        "junior" => random.range(0, 3),
        "mid" => random.range(2, 7),
        "senior" => random.range(5, 13),
        "staff" => random.range(9, 18),
        _ => random.range(12, 26),
    }
}

const OUTCOMES: &[(&str, u32)] = &[
    ("advance", 46),
    ("hold", 14),
    ("decline", 33),
    ("no show", 7),
];
