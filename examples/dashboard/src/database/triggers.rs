//! What is changed writes itself down: triggers, in the transaction of the change.
//!
//! # Why triggers, and not the update hook
//!
//! `sqlite3_update_hook` tells one connection of its own changes, and not of all of them: nothing of tables
//! without a row id (`candidate_skills`), of rows that `REPLACE` displaces, of a `DELETE` without `WHERE`. Of those
//! that it tells it says the row id, when what the row said before is gone: a candidate who is given to another
//! recruiter would stay on the old one's dashboard. Triggers see every writer in every process, the `sqlite3` shell
//! included, with the old row and the new one. What they write is committed with the change or not at all, and
//! outlives a process that dies between its commit and the invalidation.
//!
//! They cost a changed row one row more, in the same transaction. `changes` keeps the last [`KEPT`]: who finds
//! that some are missing takes everything to have changed.

use std::fmt::Write;

/// What is written down of the rows of a table.
struct Watched {
    table: &'static str,
    kind: &'static str,
    /// Id, company and recruiter, of the row that is called `{row}`: each of these, once.
    whose: &'static [&'static str],
    /// Which updates count.
    update: &'static str,
}

impl Watched {
    const fn new(table: &'static str, kind: &'static str, whose: &'static [&'static str]) -> Self {
        Self {
            table,
            kind,
            whose,
            update: "TRUE",
        }
    }
}

/// Every table that something cached is made of.
const WATCHED: &[Watched] = &[
    Watched::new("companies", "company", ID),
    Watched::new("company_settings", "configuration", COMPANY),
    Watched::new("pipeline_stages", "configuration", COMPANY),
    Watched::new("calendar_rules", "configuration", COMPANY),
    Watched::new("interviewers", "interviewer", ID),
    Watched::new("recruiters", "recruiter", ID),
    Watched::new("jobs", "job", ID),
    Watched::new("job_skills", "job", JOB),
    Watched::new("candidates", "candidate", THEMSELVES),
    // How many want a job does not depend on how far they have come.
    Watched {
        update: "OLD.id IS NOT NEW.id OR OLD.job_id IS NOT NEW.job_id",
        ..Watched::new("candidates", "application", JOB)
    },
    Watched::new("candidate_skills", "skill", CANDIDATE),
    Watched::new("scores", "score", CANDIDATE),
    Watched::new("interviews", "interview", CANDIDATE),
];

const ID: &[&str] = &["{row}.id, NULL, NULL"];

const COMPANY: &[&str] = &["{row}.company_id, NULL, NULL"];

const JOB: &[&str] = &["{row}.job_id, NULL, NULL"];

/// A dashboard counts who is a candidate of its company, of its recruiters, and for its jobs. Mostly that is one
/// company, and one row.
const THEMSELVES: &[&str] = &[
    "{row}.id, {row}.company_id, {row}.recruiter_id",
    "{row}.id, (SELECT company_id FROM recruiters WHERE id = {row}.recruiter_id), {row}.recruiter_id",
    "{row}.id, (SELECT company_id FROM jobs WHERE id = {row}.job_id), {row}.recruiter_id",
];

/// What belongs to no candidate is shown nowhere.
const CANDIDATE: &[&str] = &[
    "{row}.candidate_id,
        (SELECT company_id FROM candidates WHERE id = {row}.candidate_id),
        (SELECT recruiter_id FROM candidates WHERE id = {row}.candidate_id)",
    "{row}.candidate_id,
        (SELECT j.company_id FROM candidates c JOIN jobs j ON j.id = c.job_id WHERE c.id = {row}.candidate_id),
        (SELECT recruiter_id FROM candidates WHERE id = {row}.candidate_id)",
];

/// The table of changes, and the triggers that fill it. To be created when the other tables are filled: what
/// was there from the beginning is no change.
pub(super) fn all() -> String {
    let mut sql = CHANGES.replace("{kept}", &KEPT.to_string());
    for watched in WATCHED {
        watched.write(&mut sql);
    }
    sql
}

impl Watched {
    fn write(&self, sql: &mut String) {
        let (before, after) = (self.of("OLD", ""), self.of("NEW", ""));
        self.trigger(sql, "AFTER INSERT", "TRUE", &after);
        self.trigger(sql, "AFTER DELETE", "TRUE", &before);
        let both = format!("{before} UNION {after}");
        self.trigger(sql, "AFTER UPDATE", self.update, &both);
        // Those without an id of their own are what they say: nothing else can stand in their place.
        if !self.table.ends_with("_skills") {
            // Deleted by REPLACE, a row fires no trigger of its own.
            let from = format!("FROM {} gone WHERE gone.id = NEW.id", self.table);
            let gone = self.of("gone", &from);
            self.trigger(sql, "BEFORE INSERT", "TRUE", &gone);
            self.trigger(sql, "BEFORE UPDATE", "OLD.id IS NOT NEW.id", &gone);
        }
    }

    fn of(&self, row: &str, from: &str) -> String {
        let each = self.whose.iter().map(|whose| {
            let whose = whose.replace("{row}", row);
            format!("SELECT '{}', {whose} {from}", self.kind)
        });
        each.collect::<Vec<_>>().join(" UNION ")
    }

    fn trigger(&self, sql: &mut String, event: &str, when: &str, rows: &str) {
        let (table, kind) = (self.table, self.kind);
        let name = format!("{table}_{kind}_{}", event.replace(' ', "_").to_lowercase());
        let _infallible = write!(
            sql,
            "CREATE TRIGGER {name} {event} ON {table} WHEN {when} BEGIN
                 INSERT INTO changes (kind, id, company, recruiter) {rows};
             END;\n"
        );
    }
}

/// Numbers are never given twice, and none is left out: what a transaction that is rolled back took is given
/// again.
const CHANGES: &str = "
CREATE TABLE changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    id INTEGER NOT NULL,
    company INTEGER,
    recruiter INTEGER
);
CREATE TRIGGER changes_keep_the_last AFTER INSERT ON changes BEGIN
    DELETE FROM changes WHERE number <= NEW.number - {kept};
END;
CREATE TABLE history (
    id BLOB NOT NULL
);
INSERT INTO history VALUES (randomblob(16));
";

/// Changes kept; about 300 KB.
pub(super) const KEPT: i64 = 10_000;
