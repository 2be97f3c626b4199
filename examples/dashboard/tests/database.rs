//! The database file: filled once, shared, refused when it is something else.

#![allow(clippy::unwrap_used)]

use std::{fs, thread};

use dashboard::{Database, Volume};

#[test]
fn two_starts_at_once_fill_it_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shared.db");
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| Database::open(&path, &Volume::small()).unwrap());
        }
    });
    let connection = rusqlite::Connection::open(&path).unwrap();
    let count = |table: &str| -> i64 {
        connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                row.get(0)
            })
            .unwrap()
    };
    assert_eq!(
        (count("candidates"), count("scores"), count("interviews")),
        (120, 1_200, 360)
    );
}

#[test]
fn two_databases_hold_the_same() {
    let dump = || {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("one.db");
        Database::open(&path, &Volume::small()).unwrap();
        let connection = rusqlite::Connection::open(&path).unwrap();
        let sum =
            "SELECT group_concat(name || status || expected_salary || applied_at) FROM candidates";
        connection
            .query_row(sum, [], |row| row.get::<_, String>(0))
            .unwrap()
    };
    assert_eq!(dump(), dump());
}

#[test]
fn a_start_that_died_while_filling_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("half.db");
    {
        let mut connection = rusqlite::Connection::open(&path).unwrap();
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .unwrap();
        let transaction = connection.transaction().unwrap();
        transaction
            .execute_batch("CREATE TABLE companies (id INTEGER)")
            .unwrap();
        drop(transaction);
    }
    Database::open(&path, &Volume::small()).unwrap();
}

#[test]
fn a_foreign_file_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("notes.txt");
    fs::write(
        &text,
        "These are notes, and they are longer than a header of SQLite is, so that it reads them.",
    )
    .unwrap();
    assert!(Database::open(&text, &Volume::small()).is_err());
    assert!(
        fs::read_to_string(&text)
            .unwrap()
            .starts_with("These are notes")
    );

    let other = directory.path().join("other.db");
    rusqlite::Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (id)")
        .unwrap();
    let before = fs::read(&other).unwrap();
    let error = Database::open(&other, &Volume::small()).unwrap_err();
    assert!(error.to_string().contains("another program"), "{error}");
    assert_eq!(fs::read(&other).unwrap(), before);
}

#[test]
fn a_newer_database_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("newer.db");
    Database::open(&path, &Volume::small()).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let error = Database::open(&path, &Volume::small()).unwrap_err();
    assert!(error.to_string().contains("version 99"), "{error}");
}

#[test]
fn a_path_that_cannot_be_written_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    assert!(
        Database::open(
            &directory.path().join("no/such/folder.db"),
            &Volume::small()
        )
        .is_err()
    );
    assert!(Database::open(directory.path(), &Volume::small()).is_err());
}
