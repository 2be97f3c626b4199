//! Companies with their people, settings, pipelines and calendars.

use rusqlite::{Connection, params};

use super::{Random, Volume, full_name, mailbox, words};

pub(super) fn fill(connection: &Connection, volume: &Volume) -> rusqlite::Result<()> {
    let mut random = Random::new("companies");
    let mut company = connection
        .prepare("INSERT INTO companies (id, name, webhook_secret) VALUES (?1, ?2, ?3)")?;
    for id in 1..=volume.companies {
        let name = words::COMPANIES[(id - 1) as usize % words::COMPANIES.len()];
        let secret = format!("whsec-{:016x}{:016x}", random.next(), random.next());
        company.execute(params![id, name, secret])?;
        settings(connection, &mut random, id)?;
        pipelines(connection, &mut random, id)?;
    }
    recruiters(connection, volume)?;
    interviewers(connection, volume)
}

fn settings(connection: &Connection, random: &mut Random, company: i64) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO company_settings (company_id, key, value) VALUES (?1, ?2, ?3)",
    )?;
    let notice = random.range(2, 48).to_string();
    insert.execute(params![
        company,
        "interviews.most_per_day",
        random.range(3, 7).to_string()
    ])?;
    insert.execute(params![company, "interviews.longest_minutes", "120"])?;
    insert.execute(params![company, "interviews.notice_hours", notice])?;
    for event in 0..60 {
        for channel in ["email", "chat", "sms"] {
            let key = format!("notify.event-{event:02}.{channel}");
            let value = if random.chance(0.5) { "on" } else { "off" };
            insert.execute(params![company, key, value])?;
        }
    }
    Ok(())
}

fn pipelines(connection: &Connection, random: &mut Random, company: i64) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO pipeline_stages (company_id, pipeline, position, name, most_days)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for role in words::ROLES {
        for (position, name) in STAGES.iter().enumerate() {
            insert.execute(params![
                company,
                role,
                position as i64,
                name,
                random.range(3, 21)
            ])?;
        }
    }
    Ok(())
}

fn recruiters(connection: &Connection, volume: &Volume) -> rusqlite::Result<()> {
    let mut random = Random::new("recruiters");
    let mut insert = connection
        .prepare("INSERT INTO recruiters (id, company_id, name, email) VALUES (?1, ?2, ?3, ?4)")?;
    for id in 1..=volume.companies * volume.recruiters_per_company {
        let name = full_name(&mut random);
        let company = (id - 1) / volume.recruiters_per_company + 1;
        insert.execute(params![id, company, name, mailbox(&name, id)])?;
    }
    Ok(())
}

fn interviewers(connection: &Connection, volume: &Volume) -> rusqlite::Result<()> {
    let mut random = Random::new("interviewers");
    let mut insert = connection
        .prepare("INSERT INTO interviewers (id, company_id, name) VALUES (?1, ?2, ?3)")?;
    for id in 1..=volume.companies * volume.interviewers_per_company {
        let company = (id - 1) / volume.interviewers_per_company + 1;
        insert.execute(params![id, company, full_name(&mut random)])?;
    }
    calendars(connection, &mut random, volume)
}

/// Rules of all companies are interleaved, as they are in a table that grew
/// with its users: one company's rules are spread over the whole of it.
fn calendars(
    connection: &Connection,
    random: &mut Random,
    volume: &Volume,
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare(
        "INSERT INTO calendar_rules (company_id, interviewer_id, kind, first_day, last_day,
             weekdays, from_minute, to_minute)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for round in 0..volume.rules_per_interviewer {
        for interviewer in 1..=volume.companies * volume.interviewers_per_company {
            let company = (interviewer - 1) / volume.interviewers_per_company + 1;
            let (kind, days, weekdays, minutes) = rule(random, round);
            insert.execute(params![
                company,
                interviewer,
                kind,
                days.0,
                days.1,
                weekdays,
                minutes.0,
                minutes.1
            ])?;
        }
    }
    Ok(())
}

type Rule = (&'static str, (i64, i64), i64, (i64, i64));

/// Working hours first, then holidays, then what fills a calendar.
fn rule(random: &mut Random, round: i64) -> Rule {
    match round {
        0 => ("working", (0, 179), 0b001_1111, (8 * 60, 18 * 60)),
        1..=3 => {
            let first = random.range(0, 170);
            (
                "holiday",
                (first, first + random.range(0, 5)),
                0b111_1111,
                (0, 24 * 60),
            )
        }
        _ => {
            let first = random.range(0, 178);
            let last = first + random.range(0, (180 - first).min(15));
            let from = 8 * 60 + 15 * random.range(0, 38);
            (
                "busy",
                (first, last),
                1 << random.range(0, 5),
                (from, from + 15 * random.range(1, 3)),
            )
        }
    }
}

const STAGES: &[&str] = &["applied", "screening", "interview", "offer", "hired"];
