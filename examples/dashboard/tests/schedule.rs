//! Writers by every way and readers of every process, at random: nobody reads what is too old.

#![allow(clippy::unwrap_used)]

mod common;

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use common::process::{Process, other, shell};
use dashboard::{Database, Volume};
use tower_keep_test_support::{Random, RedisServer, seed};

/// One value of one candidate.
struct Write {
    candidate: i64,
    value: Value,
    /// The process through whose API it was written.
    through: Option<usize>,
    begin: Instant,
    end: Instant,
}

/// What the API can change, and what only others do. Each salary is given once.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Status(String),
    Salary(i64),
}

struct Read {
    candidate: i64,
    process: usize,
    status: Value,
    salary: Value,
    begin: Instant,
    end: Instant,
}

#[test]
fn nobody_reads_what_is_older_than_the_bound_and_nobody_what_their_own_process_changed() {
    let mut random = Random::new(seed());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shared.db");
    Database::open(&path, &Volume::small()).unwrap();
    let redis = RedisServer::start();
    let url = redis.url();
    let processes =
        [url.as_str(), url.as_str(), "memory:"].map(|store| Process::start(&path, store));
    let done = AtomicBool::new(false);
    let (writes, reads) = thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                let random = Random::new(random.any());
                scope.spawn(|| read(random, &processes, &done))
            })
            .collect();
        let writes = write(&mut random, &processes, &path);
        done.store(true, Ordering::Release);
        let reads = readers
            .into_iter()
            .flat_map(|reader| reader.join().unwrap());
        (writes, reads.collect::<Vec<_>>())
    });
    let mut oldest = [Duration::ZERO; 2];
    for read in &reads {
        for value in [&read.status, &read.salary] {
            let (own, others) = age(&writes, read, value);
            assert_eq!(
                own, None,
                "{} of {value:?} at process {}",
                read.candidate, read.process
            );
            assert!(others < BOUND, "{value:?} was {others:?} too old");
            let way = usize::from(matches!(value, Value::Salary(_)));
            oldest[way] = oldest[way].max(others);
        }
    }
    let (writes, reads) = (writes.len(), reads.len());
    eprintln!(
        "{writes} writes, {reads} reads; the oldest: {oldest:?} (by the API of another, by the shell)"
    );
}

/// One after the other, so that their order is known.
fn write(random: &mut Random, processes: &[Process], path: &Path) -> Vec<Write> {
    let connection = other(path);
    let mut writes = first(&connection);
    for number in 0..WRITES {
        let candidate = i64::from(random.few(CANDIDATES)) + 1;
        let salary = 1_000_000 + i64::from(number);
        let status = STATUSES[usize::try_from(number).unwrap() % STATUSES.len()].to_owned();
        let statement =
            format!("UPDATE candidates SET expected_salary = {salary} WHERE id = {candidate}");
        let begin = Instant::now();
        let (value, through) = match random.below(4) {
            0 => {
                shell(path, &statement);
                (Value::Salary(salary), None)
            }
            1 => {
                connection.execute_batch(&statement).unwrap();
                (Value::Salary(salary), None)
            }
            _ => {
                let process = random.index(processes.len());
                let changed = processes[process].change_status(candidate, &status);
                assert_eq!(changed.status, 200);
                (Value::Status(status), Some(process))
            }
        };
        writes.push(Write {
            candidate,
            value,
            through,
            begin,
            end: Instant::now(),
        });
    }
    writes
}

/// What is there from the beginning.
fn first(connection: &rusqlite::Connection) -> Vec<Write> {
    let now = Instant::now();
    let mut statement = connection
        .prepare("SELECT id, status, expected_salary FROM candidates WHERE id <= ?1")
        .unwrap();
    let rows = statement.query_map([CANDIDATES], |row| {
        let values = [Value::Status(row.get(1)?), Value::Salary(row.get(2)?)];
        let candidate = row.get(0)?;
        Ok(values.map(|value| Write {
            candidate,
            value,
            through: None,
            begin: now,
            end: now,
        }))
    });
    rows.unwrap().flat_map(Result::unwrap).collect()
}

fn read(mut random: Random, processes: &[Process], done: &AtomicBool) -> Vec<Read> {
    let mut reads = Vec::new();
    while !done.load(Ordering::Acquire) {
        let candidate = i64::from(random.few(CANDIDATES)) + 1;
        let process = random.index(processes.len());
        let begin = Instant::now();
        let page = processes[process].get(&format!("/api/candidates/{candidate}"));
        reads.push(Read {
            candidate,
            process,
            status: Value::Status(page.body["status"].as_str().unwrap().to_owned()),
            salary: Value::Salary(page.body["expected_salary"].as_i64().unwrap()),
            begin,
            end: Instant::now(),
        });
    }
    reads
}

/// How long before the read its value was no longer the newest: by a write through the API of the process that
/// was asked, and by any other.
fn age(writes: &[Write], read: &Read, value: &Value) -> (Option<Duration>, Duration) {
    let same = |a: &Value, b: &Value| std::mem::discriminant(a) == std::mem::discriminant(b);
    let history: Vec<_> = writes
        .iter()
        .filter(|write| write.candidate == read.candidate && same(&write.value, value))
        .take_while(|write| write.begin <= read.end)
        .collect();
    let shown = history.iter().rposition(|write| write.value == *value);
    let later = &history[shown.expect("somebody wrote what is read") + 1..];
    let over = |write: &Write| read.begin.checked_duration_since(write.end);
    let own = later
        .iter()
        .filter(|write| write.through == Some(read.process));
    let own = own.filter_map(|write| over(write)).max();
    (
        own,
        later
            .first()
            .and_then(|write| over(write))
            .unwrap_or_default(),
    )
}

const STATUSES: [&str; 7] = [
    "applied",
    "screening",
    "interview",
    "offer",
    "hired",
    "rejected",
    "withdrawn",
];
const CANDIDATES: u32 = 8;
const READERS: usize = 3;
const WRITES: u32 = 600;

/// Ten looks, a hundred records: a busy machine may not let a thread run for as long as it takes a test.
const BOUND: Duration = Duration::from_secs(1);
