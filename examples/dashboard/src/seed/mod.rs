//! The data of a new database: a hiring platform, invented but plausible, and
//! the same on every machine.
//!
//! All dates count from [`TODAY`], a fixed day. A data set that moved with the
//! clock would show an empty dashboard next month, and two requests a second
//! apart could never be compared byte by byte.

pub(crate) mod accounts;
mod candidates;
mod companies;
mod jobs;
mod random;
mod volume;
pub(crate) mod words;

use std::io::{self, Write};

use rusqlite::Connection;

pub(crate) use self::random::Random;
pub use self::volume::Volume;

/// 2 March 2026, midnight UTC, in seconds: the day the data set calls today.
pub(crate) const TODAY: i64 = 1_772_409_600;

pub(crate) const DAY: i64 = 86_400;

/// Fills the empty tables. The caller owns the transaction.
pub(crate) fn fill(connection: &Connection, volume: &Volume) -> rusqlite::Result<()> {
    progress("companies and calendars");
    companies::fill(connection, volume)?;
    accounts::fill(connection)?;
    progress(&format!("{} jobs", volume.jobs));
    jobs::fill(connection, volume)?;
    progress(&format!("{} candidates", volume.candidates));
    candidates::fill(connection, volume)?;
    progress(&format!("{} scores", volume.scores));
    candidates::fill_scores(connection, volume)?;
    progress(&format!("{} interviews", volume.interviews));
    candidates::fill_interviews(connection, volume)?;
    progress("done");
    Ok(())
}

/// A closed standard error is no reason to fail.
fn progress(step: &str) {
    let _ = writeln!(io::stderr(), "dashboard: filling the database: {step}");
}

fn full_name(random: &mut Random) -> String {
    format!(
        "{} {}",
        random.pick(words::FIRST_NAMES),
        random.pick(words::LAST_NAMES)
    )
}

fn mailbox(name: &str, id: i64) -> String {
    let local: String = name
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            'a'..='z' => Some(c),
            ' ' => Some('.'),
            'á' => Some('a'),
            'é' | 'ë' => Some('e'),
            'í' | 'ı' => Some('i'),
            'ó' => Some('o'),
            'ü' => Some('u'),
            _ => None,
        })
        .collect();
    format!("{local}.{id}@example.com")
}
