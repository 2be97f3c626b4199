//! Whoever changes a row, by whatever way, changes every page that shows it.

#![allow(clippy::unwrap_used)]

mod common;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use common::{
    Site,
    process::{Process, other, shell},
};
use dashboard::{Database, Volume};
use tempfile::TempDir;
use tower_keep_test_support::{RedisServer, TcpProxy, eventually, holds_within};

/// Every page that shows something of the candidate 1, of their company or of their recruiter.
async fn pages(site: &Site) -> Vec<String> {
    let candidate = site.get("/api/candidates/1").await.json();
    let recruiter = &candidate["recruiter_id"];
    vec![
        "/api/candidates/1".to_owned(),
        format!("/api/dashboard/{recruiter}"),
        "/api/recruiters".to_owned(),
        "/api/jobs".to_owned(),
        "/api/recommendations/1".to_owned(),
        "/api/candidates?per_page=100".to_owned(),
    ]
}

/// What somebody may do by hand.
const CHANGES: &[&str] = &[
    "UPDATE candidates SET name = 'Ada' WHERE id = 1",
    "UPDATE candidates SET recruiter_id = recruiter_id % (SELECT max(id) FROM recruiters) + 1 WHERE id = 1",
    "UPDATE candidates SET company_id = company_id % (SELECT max(id) FROM companies) + 1 WHERE id = 1",
    "UPDATE candidates SET job_id = job_id % (SELECT max(id) FROM jobs) + 1 WHERE id = 1",
    "UPDATE candidates SET status = 'hired'",
    "REPLACE INTO candidates SELECT 1, company_id, recruiter_id, job_id, 'Grace', email, status, location, seniority,
        source, experience_years, expected_salary, applied_at, status_changed_at FROM candidates WHERE id = 2",
    "UPDATE OR REPLACE candidates SET id = 1 WHERE id = 3",
    "UPDATE companies SET name = 'Acme'",
    "UPDATE recruiters SET name = 'Mary' WHERE id <= 3",
    "UPDATE interviewers SET name = 'Joan'",
    "UPDATE jobs SET title = 'Gardener'",
    "UPDATE jobs SET open = NOT open",
    "DELETE FROM job_skills",
    "INSERT OR IGNORE INTO job_skills SELECT id, 1 FROM jobs",
    "DELETE FROM candidate_skills WHERE candidate_id = 1",
    "INSERT INTO candidate_skills VALUES (1, 3)",
    "UPDATE candidate_skills SET skill = 4 WHERE candidate_id = 1",
    "UPDATE scores SET value = 0.5 WHERE candidate_id = 1",
    "REPLACE INTO scores SELECT min(id), 2, kind, value, scored_at FROM scores WHERE candidate_id = 1",
    "INSERT INTO scores (candidate_id, kind, value, scored_at) VALUES (1, 'technical', 0.9, 0)",
    "DELETE FROM scores",
    "UPDATE interviews SET outcome = 'advance' WHERE candidate_id = 1",
    "DELETE FROM interviews",
];

/// What is done to one candidate is not worth new recommendations for the others.
const CHANGES_TO_ANOTHER: &[&str] = &[
    "INSERT INTO candidates SELECT 0, company_id, recruiter_id, job_id, name, email, status, location, seniority,
        source, experience_years, expected_salary, applied_at, status_changed_at FROM candidates WHERE id = 1",
    "DELETE FROM candidates WHERE id = 0",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_page_shows_the_rows_as_they_are_whoever_changed_them() {
    let site = Site::new().unlimited();
    for change in CHANGES {
        shows(&site, &pages(&site).await, change).await;
    }
    for change in CHANGES_TO_ANOTHER {
        let mut pages = pages(&site).await;
        pages.retain(|page| !page.contains("recommendations"));
        shows(&site, &pages, change).await;
    }
}

/// Nothing in the tables keeps a candidate's company, recruiter and job together.
#[tokio::test(flavor = "multi_thread")]
async fn a_dashboard_shows_who_comes_to_its_recruiters_and_jobs_from_another_company() {
    let site = Site::new().unlimited();
    let database = other(&site.path());
    let find = |what: &str| -> i64 { database.query_row(what, [], |row| row.get(0)).unwrap() };
    let company = find("SELECT company_id FROM candidates WHERE id = 1");
    let [recruiter, colleague] = ["min", "max"].map(|which| {
        find(&format!(
            "SELECT {which}(id) FROM recruiters WHERE company_id = {company} % 2 + 1"
        ))
    });
    assert_ne!(recruiter, colleague);
    let job = find(&format!(
        "SELECT job_id FROM candidates WHERE company_id = {company} % 2 + 1 GROUP BY job_id
         HAVING (SELECT open FROM jobs WHERE id = job_id) ORDER BY count(*) DESC, job_id LIMIT 1"
    ));
    let pages = [format!("/api/dashboard/{colleague}")];
    for change in [
        format!("UPDATE candidates SET recruiter_id = {recruiter}, status = 'hired' WHERE id = 1"),
        "UPDATE candidates SET status = 'withdrawn' WHERE id = 1".to_owned(),
        format!("UPDATE candidates SET job_id = {job} WHERE id = 1"),
        "UPDATE scores SET value = value / 4 WHERE candidate_id = 1".to_owned(),
        "DELETE FROM candidates WHERE id = 1".to_owned(),
    ] {
        shows(&site, &pages, &change).await;
    }
}

async fn shows(site: &Site, pages: &[String], change: &str) {
    for page in pages {
        eventually(SOON, async || site.get(page).await.is_hit()).await;
    }
    other(&site.path()).execute_batch(change).unwrap();
    for page in pages {
        let is_as_computed = async || {
            let cached = site.get(page).await;
            cached.body == site.get_bypassed(page).await.body
        };
        let shown = holds_within(SOON, is_as_computed).await;
        assert!(shown, "{page} does not show it: {change}");
    }
}

async fn name(site: &Site, candidate: i64) -> String {
    let page = site.get(&format!("/api/candidates/{candidate}")).await;
    page.json()["name"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rolled_back_invalidates_nothing() {
    let site = Site::new();
    for candidate in [1, 2] {
        name(&site, candidate).await;
    }
    let writer = other(&site.path());
    writer
        .execute_batch("BEGIN; UPDATE candidates SET name = 'Ada' WHERE id = 1; ROLLBACK")
        .unwrap();
    writer
        .execute_batch("UPDATE candidates SET name = 'Grace' WHERE id = 2")
        .unwrap();
    eventually(SOON, async || name(&site, 2).await == "Grace").await;
    assert!(site.get("/api/candidates/1").await.is_hit());
}

#[tokio::test(flavor = "multi_thread")]
async fn more_changes_than_are_kept_invalidate_everything() {
    let site = Site::new();
    name(&site, 1).await;
    let writer = other(&site.path());
    let each_score = "UPDATE scores SET value = value / 2;".repeat(9);
    writer
        .execute_batch(&format!(
            "BEGIN; UPDATE candidates SET name = 'Ada' WHERE id = 1; {each_score} COMMIT"
        ))
        .unwrap();
    eventually(SOON, async || name(&site, 1).await == "Ada").await;
    let kept = writer.query_row("SELECT count(*) FROM changes", [], |row| row.get(0));
    assert_eq!(kept, Ok(10_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_somebody_deletes_are_missed() {
    let site = Site::new();
    name(&site, 1).await;
    let writer = other(&site.path());
    for (kept, new) in [("number < 0", "Ada"), ("kind <> 'candidate'", "Grace")] {
        let change =
            format!("UPDATE candidates SET name = '{new}', job_id = job_id + 1 WHERE id = 1");
        let lose = format!("DELETE FROM changes WHERE NOT ({kept})");
        writer
            .execute_batch(&format!("BEGIN; {change}; {lose}; COMMIT"))
            .unwrap();
        eventually(SOON, async || name(&site, 1).await == new).await;
    }
}

/// A database for processes.
struct File {
    _directory: TempDir,
    path: PathBuf,
}

impl File {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shared.db");
        Database::open(&path, &Volume::small()).unwrap();
        Self {
            _directory: directory,
            path,
        }
    }
}

fn rename(database: &Path, name: &str) {
    shell(
        database,
        &format!("UPDATE candidates SET name = '{name}' WHERE id = 1"),
    );
}

/// Each has a cache of its own.
#[test]
fn a_row_changed_in_the_shell_is_shown_by_every_process() {
    let file = File::new();
    let processes = [(); 2].map(|()| Process::start(&file.path, "memory:"));
    for name in ["Ada", "Grace", "Joan"] {
        for process in &processes {
            process.get("/api/candidates/1");
            assert!(process.get("/api/candidates/1").is_hit);
        }
        rename(&file.path, name);
        for process in &processes {
            process.shows(name);
        }
    }
}

#[test]
fn a_change_through_the_api_is_shown_at_once() {
    let file = File::new();
    let process = Process::start(&file.path, "memory:");
    for status in ["offer", "hired", "rejected"].repeat(20) {
        let changed = process.change_status(1, status);
        assert_eq!(changed.body["status"], status);
        let list = format!("/api/candidates?status={status}&per_page=1");
        assert_eq!(process.get("/api/candidates/1").body["status"], status);
        assert_eq!(process.get(&list).body, process.compute(&list).body);
    }
}

#[test]
fn what_was_changed_while_no_process_ran_is_shown_by_the_next_one() {
    let (redis, file) = (RedisServer::start(), File::new());
    let start = || Process::start(&file.path, &redis.url());
    let process = start();
    process.is_in_the_store("/api/candidates/2", &start());
    process.kill();
    rename(&file.path, "Ada");
    let process = start();
    assert_eq!(process.get("/api/candidates/1").body["name"], "Ada");
    assert!(
        process.get("/api/candidates/2").is_hit,
        "nothing was changed there"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_process_killed_before_it_told_leaves_the_telling_to_the_next_one() {
    let (redis, file) = (RedisServer::start(), File::new());
    let proxy = TcpProxy::start(redis.address()).await;
    let through = format!("redis://{}", proxy.address());
    let process = Process::start(&file.path, &through);
    process.is_in_the_store(
        "/api/candidates/1",
        &Process::start(&file.path, &redis.url()),
    );
    proxy.hang().await;
    assert_eq!(process.change_status(1, "hired").status, 200);
    process.kill();
    drop(proxy);
    let next = Process::start(&file.path, &redis.url());
    assert_eq!(next.get("/api/candidates/1").body["status"], "hired");
}

impl Process {
    fn shows(&self, name: &str) {
        let until = Instant::now() + SOON;
        while self.get("/api/candidates/1").body["name"] != name {
            assert!(Instant::now() < until, "{name} is not shown");
        }
    }

    /// Until another process finds it there.
    fn is_in_the_store(&self, page: &str, other: &Self) {
        let until = Instant::now() + SOON;
        while !(self.get(page).is_hit && other.get(page).is_hit) {
            assert!(Instant::now() < until, "{page} is not stored");
        }
    }
}

const SOON: Duration = Duration::from_secs(5);
