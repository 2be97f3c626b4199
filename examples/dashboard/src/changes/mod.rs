//! From a row that somebody changed to the pages that show it: nobody who writes has to think of the cache.
//!
//! 1. Triggers write down what is changed, in the transaction of the change (`database/triggers.rs`): by
//!    whatever code, process or shell it is made.
//! 2. A watch on a connection and a thread of its own sees every commit, whoever made it: SQLite's
//!    `PRAGMA data_version`, asked 100 times a second, and at once after a write of this process. A question costs
//!    3 µs when it is asked again and again, with waking up for it 100 µs: 1 % of a core.
//! 3. What it reads becomes events for the rules of `cache.rs`, all of one look in one record of the
//!    invalidation log.
//! 4. A write of this process is reported as done when everything that was written until then has been told.
//!
//! # How stale a page can be
//!
//! After a change through the API: not at all, for whoever has the answer, in this process; in the others on one Redis
//! for the millisecond that a record takes. After a change by anybody else: for the 10 ms until the next look, the look,
//! and the record. **50 ms** is the bound, on a machine that lets the thread run and a Redis that answers; with one
//! that does not, in other processes, the log's own staleness bound. `tests/schedule.rs` writes by all these ways at
//! once and says how old what was read has been: 7 ms, in 5 000 reads.
//!
//! What is *computed* of others' rows may be older where it says so: recommendations compare with the profiles of all
//! candidates, and those of the others may be five minutes old.
//!
//! # Several processes
//!
//! *One file*, with one Redis or with caches of their own (`memory:`): each process watches the file, so each is told of
//! everything. On one Redis all but the first to tell say it once more: a page that was made in between is made again.
//! *Files of their own on one Redis*: what one file tells comes too early or too late for the pages that were made of
//! another; such processes need a namespace each.
//!
//! # What it costs
//!
//! A row that is changed: one or two more in `changes`. A write: one question for the last number, and the wait for
//! the telling, about a millisecond on Redis; all that comes in that time shares a record. The store: a script for the
//! record, and a `SET` for how far it is told.
//!
//! # When something fails
//!
//! - **Redis is down.** What is told is in force here and waits to be written; writes go on.
//! - **This process dies** between a commit and the record: the change is still written down. How far it had told
//!   stands in the store, beside what is cached: the next process to start tells the rest before it serves.
//!   If the store does not say, everything is invalid.
//! - **The file cannot be read**, or some changes are not there any more (more than 10 000 while nobody looked, or
//!   deleted by hand): everything is invalid. So it is after more than 1 000 changes in one look. Requests that
//!   write wait for two seconds, then go on.
//! - A program that drops the triggers, or writes to the file without SQLite, is not seen.

mod cursor;
mod follower;
mod watch;

pub(crate) use self::follower::Follower;
