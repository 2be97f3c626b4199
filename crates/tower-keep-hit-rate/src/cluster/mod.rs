//! All processes together, through the store and nothing else.
//!
//! Each layer tells how it stands: every five seconds, one [snapshot](told) of all that it has counted since its
//! start, in the place of the one before. Whoever wants the whole reads all snapshots and adds them up.
//!
//! # Why the sum is never too high
//!
//! A snapshot is what a process had counted at some moment, so it is at most what it has counted by now. It is
//! absolute: one that is lost is made good by the next, one that comes twice changes nothing. One that comes
//! late (a dropped future does not cancel a command) carries a smaller number than the one that is there, and the
//! [script](post) leaves it out. Each process has one place, named by a random number of its own; what it knows
//! of itself it never reads back, but takes from its counters. A server that comes back empty is told everything
//! again by whoever lives: from then on only those are missing that died before.
//!
//! # Windows of those who are silent
//!
//! Since the start, what a process told last counts for as long as it is there. Its last minute is another thing
//! once it has been silent for a while: not all of it lies in the minute that ends now. So of a process that has
//! missed three tellings a window gets what surely lies in it: the longest of the windows it told that ends
//! where it fell silent and begins inside. So it does of one that tells seldom, once a quarter of the window has
//! passed since.
//!
//! # What is bounded
//!
//! A snapshot has at most 48 KiB: what does not fit of the rarest classes is told as `other`. There are at most
//! 256 of them, then those go that told the longest ago; all live for sixty intervals (five minutes). At most
//! 4 MiB are read, those first that told last, in parts that hold no server up. One that cannot be read in full, is of another version, or says what cannot be is
//! left out as a whole, and counted. Whose snapshot was told when is judged by the server's clock; one that
//! steps back makes ages too small until the next telling, and what is ahead of it is put back to now.
//!
//! # Where it happens
//!
//! In one task of the store's runtime for each layer, which ends with the layer, its services and its handles.
//! It tells, and then, if somebody asked within the last minute, reads. Requests never meet it.

mod claim;
mod coarse;
mod peers;
mod post;
mod sum;
mod teller;
#[cfg(test)]
mod tests;
mod told;
mod view;
mod wire;

pub use self::view::{Cluster, ClusterClass, ClusterProcess};
pub(crate) use self::{peers::Peers, teller::begin};
