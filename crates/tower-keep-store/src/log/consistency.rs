//! How much of the log an answer has to take account of.

/// What a cache does before it uses what is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Consistency {
    /// Goes by what this process knows: an invalidation is in force everywhere about a millisecond after
    /// it was written, and at the latest after the staleness bound. No round trip.
    #[default]
    Eventual,
    /// First [catches up](crate::InvalidationLog::catch_up) with the log: an invalidation whose writer was
    /// told that it stands is in force for every request that begins afterwards, wherever. One round trip,
    /// in which what is stored is read as well. If the log cannot be read in time, nothing stored is used.
    ///
    /// It knows what the server knows: a fail-over that loses acknowledged records loses those.
    Strict,
}
