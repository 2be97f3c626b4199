//! From a row that somebody changed to the pages that show it: nobody who writes has to think of the cache.
//!
//! 1. Triggers write down what is changed, in the transaction of the change (`database/triggers.rs`): by
//!    whatever code, process or shell it is made.
//! 2. A [`Watch`] on a connection and a thread of its own sees every commit, whoever made it: SQLite's
//!    `PRAGMA data_version`, asked 100 times a second (3 µs each, so 0.03 % of a core), and at once after a
//!    write of this process.
//! 3. What it reads becomes events for the rules of `cache.rs`, all of one look in one record of the
//!    invalidation log.
//! 4. A write of this process is reported as done when everything that was written until then has been told.
//!
//! # How stale a page can be
//!
//! After a change through the API: not at all, for whoever has the answer, in this process; in the others on one Redis
//! a millisecond. After a change by another process: for the 10 ms until the next look, the look, and the record;
//! 50 ms say a lot (see `tests/events.rs`). No longer, unless the machine does not let the thread run.
//!
//! # Several processes
//!
//! *One file, one Redis*, or one file and caches of their own (`memory:`): each watches the file, so each is
//! told of everything. On one Redis, all but the first to tell say it once more: a page that was made in between is
//! made again. *Files of their own, on one Redis*: replicas of one database hold the pages of one another, so each
//! would have to be changed before any is read. What tells of a replica tells too early for the others; such
//! processes need a namespace each.
//!
//! # When something fails
//!
//! - **Redis is down.** What is told is in force here and waits to be written; writes go on.
//! - **This process dies** between a commit and the record: the change is still written down. How far it had told
//!   stands in the store, beside what is cached: the next process to start tells the rest before it serves.
//!   If the store does not say, everything is invalid.
//! - **The file cannot be read**, or some changes are not there any more (more than 10 000 while nobody looked, or
//!   deleted by hand): everything is invalid. So it is after more than 1 000 changes in one look.
//! - A program that drops the triggers, or writes to the file without SQLite, is not seen.

mod cursor;
mod follower;
mod watch;

pub(crate) use self::follower::Follower;
