//! Pages that follow a PostgreSQL database: whoever writes to it, and by whatever way, they are never served as
//! they were.
//!
//! # The recipe
//!
//! 1. **The database tells.** `tell_changes.sql` makes triggers that `NOTIFY` of each statement's rows: `person 42`.
//!    One line for each table and column that pages go by: `SELECT tell_changes('people', 'id', 'person')`. The
//!    triggers see every writer: applications, `psql`, `COPY`, batch jobs.
//! 2. **The process listens** ([`changes`]): a connection of its own, `LISTEN changes`, one
//!    [`Changed`](tower_keep::Changed) for each notification.
//! 3. **Rules** say what depends on it (`app.rs`), and [`follow`](tower_keep::CacheHandle::follow) does it:
//!    what comes together is one record of the invalidation log.
//!
//! # What PostgreSQL promises
//!
//! A notification is part of its transaction: it is sent when that has been committed, when everybody can see
//! the rows, and not at all if it is rolled back. Those of several transactions come in the order of the
//! commits. The same payload twice in one transaction comes once. A payload has less than 8000 bytes: what has
//! a longer key, or is more than a thousand rows of one statement, is told as *all of its kind*.
//!
//! What is not told: statements while a superuser has disabled the triggers, rows that logical replication applies
//! (it fires no triggers of statements), and writes to a partition by its own name, unless it is watched as well.
//! Keys are compared as text: number, text or uuid. The triggers cost a statement about as much as a
//! second small statement; notifications take a lock at commit that makes commits wait for one another.
//!
//! # How stale a page can be
//!
//! | | |
//! |---|---|
//! | between commit and notification | a millisecond or two: `tests/events.rs` says 3 ms from the end of `psql` to the new page, and 0.3 s at most while the connection is cut at random. After a write of this process: not at all, for whoever has the answer, because it tells the cache itself |
//! | the connection is cut | until it is made again, when everything of the class is invalid; at most the bound |
//! | the server is not heard: paused, or the network is gone without a word | at most the bound: it is asked four times in each, and when it was silent for that long everything of the class is invalid, then and twice in each bound |
//! | the process starts | nothing that is older than its start is served |
//!
//! The bound is 5 s, unless said otherwise. While the database is down nobody can change it, but nobody here knows
//! whether it is, so a short bound also ends what the cache could have answered meanwhile.
//!
//! A page that is read from a *replica* of the database may be older than the notification. Read
//! it from the one that is listened to, or tell the cache again after the longest lag.
//!
//! # Several processes
//!
//! Each listens, whether they share a Redis or not. On one Redis all but the first to tell say it once more: what was
//! fetched in between is fetched again. One that starts invalidates everything of the class for all.
//!
//! # What it costs
//!
//! The database: one connection for each process, and an empty statement four times in each bound. The store: one
//! record, which is one round trip, for all that comes together.
//!
//! A process that is paused while it listens keeps the server's queue of notifications from being emptied. When that
//! is full, after 8 GB, transactions that notify fail: watch `pg_notification_queue_usage()`.
//!
//! The connection must be one to the server itself: behind a pooler that gives each transaction another one (PgBouncer's
//! `transaction` mode) nobody listens.

mod app;
mod error;
mod feed;
mod notification;
mod people;

pub use self::{app::app, feed::changes};

/// Why the program could not start.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;
