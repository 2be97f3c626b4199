//! The invalidation log: one idea for everything that can be invalidated.
//!
//! *An entry is usable only if nothing that it depends on was invalidated after its fetch began.*
//!
//! [`InvalidationLog::append`] writes one record, whatever the number of entries concerned. Every
//! process folds the records into a bounded table. An entry carries the [`Stamp`] that its process
//! had reached when its fetch began, and the [`Target`]s it depends on; the table refuses it if one of
//! them was hit later. So a fetch that began before an invalidation and was stored after it is never
//! served, and a check costs no round trip.
//!
//! ## On Redis
//!
//! The log is one stream, `namespace:log`, mostly a few minutes and at most about 65 000 records long, with a
//! time to live of a day that every process renews. Records count from 1 without a hole, and each repeats a random
//! number of the one before: a process that missed something, or whose server came back with another
//! history, notices at the next record or the next heartbeat (four a second) and starts a new *epoch*,
//! in which no older entry is usable. A lost log costs misses. A log of another epoch that does not go on from
//! what a process has applied is never taken over: it may be an older one, come back with its server.
//!
//! A record that cannot be written now (Redis is down) waits in this process, which refuses the
//! entries concerned meanwhile, and is written when Redis is back. Writing a record twice is harmless.
//! Other processes go on with their first level for at most the staleness bound (5 s unless set),
//! because for that long they may not have noticed.
//!
//! ## Checkpoints
//!
//! Now and then (after 1024 records and a minute, or 16 384 records, both with jitter) a process writes its folded
//! table down, under `namespace:log:checkpoint` (17 bytes a target, at most about 1.2 MB), and cuts the log to what
//! came after the checkpoint before. Others see that it was done and wait for their turn. A checkpoint never
//! replaces one of the same epoch that is newer. Who comes new begins with the checkpoint, if it is of the log's epoch
//! and not past its end, and reads on from there; it is believed when the next record repeats its nonce, or its
//! nonce is that of the last record. Any other checkpoint (cut, altered, foreign, of another history) is
//! passed over, and entries older than the log itself are refused then: misses.
//!
//! A process that falls so far behind that the log was cut before it could read on does the same, and
//! does not judge entries from before that any more. The others are not concerned.
//!
//! ## Catching up
//!
//! What the log says reaches a process about a millisecond after it was written; until then it goes by what
//! it knew. [`InvalidationLog::catch_up`] closes that gap for who asks ([`Consistency::Strict`]): it reads the
//! last record of the log (`XREVRANGE … COUNT 1`) on a connection that requests share, and waits until the
//! table has come to it; after 2 ms without news from the reader it reads on by itself, within the epoch.
//! Whatever else it finds (no log, another epoch, a position that was passed already, another nonce) is an
//! error, and nothing stored is used.
//!
//! ## Doubts
//!
//! Between the commit of a change and its record others may be served the state before. Who cannot have
//! that puts the targets *in doubt* before the change ([`InvalidationLog::doubt`]): a record makes every
//! process refuse them, another, after the commit, ends the doubt and hits them hard. Only a record ends a
//! doubt. If its writer is lost, each process that has waited for the lease, by its own monotonic clock and
//! with some jitter, writes the end in its place (twice is harmless). A doubt outlives a lost log in the
//! processes that know it, and its writer announces it again in the new epoch. A begin that reaches the
//! server late, after its own end (a time-out, then a second try), is passed over by all who have seen the
//! end; for one that has come since, the lease ends it.
//!
//! ## Versions side by side
//!
//! A word of a record that a process does not know counts as an invalidation of everything, in that process.
//! The version before doubts takes a record with one for a gap, and begins a new epoch: during a rolling
//! deploy each doubt costs all entries, and the processes of the old version do not hold it.
//!
//! ## The table
//!
//! Remembers 65 536 targets one by one, with the last positions at which they were hit. A target that has to make
//! room leaves its position in a summary, a Bloom filter of positions: what it costs are false refusals of entries
//! that are older than that, never a stale answer. It takes 6 MB at most, and 17 more once something was forgotten.
//! Of entries of four targets none of which was invalidated, of any age up to their lifetime, are refused
//! (`log/figures.rs`; in brackets what it would be if the forgotten only raised a floor):
//!
//! | invalidations a second | 10 s | 60 s | 600 s | 3600 s |
//! |---|---|---|---|---|
//! | 1, 100 | 0 | 0 | 0 | 0; 0.24 % (82 %) |
//! | 10 000, of 100 000 targets | 0 | 0.01 % (82 %) | 0.03 % (98 %) | 0.04 % (100 %) |
//! | 10 000, each of another target | 0 (34 %) | 2 % (89 %) | 81 % (99 %) | 97 % (100 %) |
//!
//! ## What remains
//!
//! Without a doubt: between the commit of a change and its record. The record must be awaited before the
//! change is reported as done; a process that dies between the two takes the record with it. All else is in
//! the proof, at the end of the crate's documentation.
//!
//! A record that waited for Redis to come back reaches the others only then: between their reading the
//! log again and its being written (about a tenth of a second) they may use what it will retire.

use self::folded::Folded;
pub use self::{
    consistency::Consistency,
    doubt::Doubt,
    feed::{Heard, Invalidation, Invalidations},
    handle::InvalidationLog,
    table::{Moment, Stamp, Verdict},
    target::{Mode, Target},
};

mod append;
mod checkpoint;
mod consistency;
mod doubt;
mod doubts;
mod feed;
#[cfg(test)]
mod figures;
mod folded;
mod handle;
#[cfg(test)]
mod model;
mod outbox;
mod record;
pub(crate) mod shared;
mod summary;
mod table;
mod target;

/// A random number that is not zero.
pub(crate) fn random() -> u64 {
    // Without randomness from the system two epochs could be taken for one; nothing else here can be
    // done about that.
    getrandom::u64()
        .expect("the operating system gives random numbers")
        .max(1)
}
