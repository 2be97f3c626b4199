//! The tables, as a hiring platform has them after some years: keys and
//! uniqueness are indexed, and hardly anything else.
//!
//! The missing indexes are the point. They are what makes the overview and the
//! catalog cost what such pages cost in practice, without a single artificial
//! delay.

/// Marks a file as one of ours, so that another program's database is refused
/// and not written to (`PRAGMA application_id`).
pub(super) const APPLICATION_ID: i32 = 0x7464_6b70;

/// Grows with every change of [`TABLES`], of the triggers, or of the seed.
pub(super) const VERSION: i32 = 4;

/// Every table and index, created in the transaction that fills them.
pub(super) const TABLES: &str = "
CREATE TABLE companies (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    webhook_secret TEXT NOT NULL
);
CREATE TABLE company_settings (
    id INTEGER PRIMARY KEY,
    company_id INTEGER NOT NULL REFERENCES companies (id),
    key TEXT NOT NULL,
    value TEXT NOT NULL
);
CREATE TABLE pipeline_stages (
    id INTEGER PRIMARY KEY,
    company_id INTEGER NOT NULL REFERENCES companies (id),
    pipeline TEXT NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    most_days INTEGER NOT NULL
);
CREATE TABLE interviewers (
    id INTEGER PRIMARY KEY,
    company_id INTEGER NOT NULL REFERENCES companies (id),
    name TEXT NOT NULL
);
CREATE TABLE calendar_rules (
    id INTEGER PRIMARY KEY,
    company_id INTEGER NOT NULL REFERENCES companies (id),
    interviewer_id INTEGER NOT NULL REFERENCES interviewers (id),
    kind TEXT NOT NULL CHECK (kind IN ('working', 'busy', 'holiday')),
    first_day INTEGER NOT NULL,
    last_day INTEGER NOT NULL,
    weekdays INTEGER NOT NULL,
    from_minute INTEGER NOT NULL,
    to_minute INTEGER NOT NULL
);
CREATE TABLE recruiters (
    id INTEGER PRIMARY KEY,
    company_id INTEGER NOT NULL REFERENCES companies (id),
    name TEXT NOT NULL,
    email TEXT NOT NULL
);
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY,
    recruiter_id INTEGER NOT NULL REFERENCES recruiters (id),
    email TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL
);
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    company_id INTEGER NOT NULL REFERENCES companies (id),
    title TEXT NOT NULL,
    location TEXT NOT NULL,
    seniority TEXT NOT NULL,
    remote INTEGER NOT NULL,
    salary_min INTEGER NOT NULL,
    salary_max INTEGER NOT NULL,
    posted_at INTEGER NOT NULL,
    open INTEGER NOT NULL,
    description TEXT NOT NULL
);
CREATE TABLE job_skills (
    job_id INTEGER NOT NULL REFERENCES jobs (id),
    skill INTEGER NOT NULL,
    PRIMARY KEY (job_id, skill)
) WITHOUT ROWID;
CREATE TABLE candidates (
    id INTEGER PRIMARY KEY,
    company_id INTEGER NOT NULL REFERENCES companies (id),
    recruiter_id INTEGER NOT NULL REFERENCES recruiters (id),
    job_id INTEGER NOT NULL REFERENCES jobs (id),
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN
        ('applied', 'screening', 'interview', 'offer', 'hired', 'rejected', 'withdrawn')),
    location TEXT NOT NULL,
    seniority TEXT NOT NULL,
    source TEXT NOT NULL,
    experience_years INTEGER NOT NULL,
    expected_salary INTEGER NOT NULL,
    applied_at INTEGER NOT NULL,
    status_changed_at INTEGER NOT NULL
);
CREATE TABLE candidate_skills (
    candidate_id INTEGER NOT NULL REFERENCES candidates (id),
    skill INTEGER NOT NULL,
    PRIMARY KEY (candidate_id, skill)
) WITHOUT ROWID;
CREATE TABLE scores (
    id INTEGER PRIMARY KEY,
    candidate_id INTEGER NOT NULL REFERENCES candidates (id),
    kind TEXT NOT NULL,
    value REAL NOT NULL,
    scored_at INTEGER NOT NULL
);
CREATE TABLE interviews (
    id INTEGER PRIMARY KEY,
    candidate_id INTEGER NOT NULL REFERENCES candidates (id),
    interviewer_id INTEGER NOT NULL REFERENCES interviewers (id),
    kind TEXT NOT NULL,
    starts_at INTEGER NOT NULL,
    minutes INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN
        ('planned', 'advance', 'hold', 'decline', 'no show'))
);
CREATE INDEX interviews_by_interviewer ON interviews (interviewer_id, starts_at);
CREATE TABLE deliveries (
    company_id INTEGER NOT NULL REFERENCES companies (id),
    idempotency_key TEXT NOT NULL,
    body_digest BLOB NOT NULL,
    status INTEGER NOT NULL,
    answer TEXT NOT NULL,
    UNIQUE (company_id, idempotency_key)
);
";
