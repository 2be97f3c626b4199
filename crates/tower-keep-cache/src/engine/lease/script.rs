//! What is said to the server about leases, each in one script: all of it stands in one slot.

use std::{sync::LazyLock, time::Duration};

use tower_keep_store::{Key, Script, Server, StoreError};

use super::{Ending, Seen, Token};

/// The keys of one lease. On a Cluster they share a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    /// The lease, and the channel on which its end is told.
    pub(crate) lease: Key,
    pub(crate) entry: Key,
}

/// What the server answers to who asks for a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Granted,
    /// The entry is not any more what the asker has seen.
    Changed,
    /// Another has it, for so long unless it is prolonged.
    Held(Duration),
    /// The last one ended like this, and so would the next.
    Ended(Ending),
}

/// Makes new connections know the scripts.
pub(super) fn prepare(server: &Server) {
    for script in [&ASK, &PROLONG, &END, &STORE] {
        server.prepare(script);
    }
}

pub(super) async fn ask(
    server: &Server,
    names: Names,
    token: Token,
    lease: Duration,
    seen: &Seen,
    deadline: Duration,
) -> Result<Asked, StoreError> {
    let (keys, lasts) = ([names.lease, names.entry], millis(lease));
    let arguments: [&[u8]; 3] = [&token, lasts.as_bytes(), seen.as_bytes()];
    let answer = server.call(&ASK, &keys, &arguments, deadline).await?;
    parse(&answer, lease).ok_or_else(StoreError::malformed)
}

/// False if it is lost.
pub(super) async fn prolong(
    server: &Server,
    names: Names,
    token: Token,
    lease: Duration,
    deadline: Duration,
) -> Result<bool, StoreError> {
    let lasts = millis(lease);
    let arguments: [&[u8]; 2] = [&token, lasts.as_bytes()];
    let answer = server
        .call(&PROLONG, &[names.lease], &arguments, deadline)
        .await?;
    Ok(&answer[..] == b"1")
}

pub(super) async fn end(
    server: &Server,
    names: Names,
    token: Token,
    ending: Ending,
    deadline: Duration,
) -> Result<(), StoreError> {
    let remembered = ending.remembered().map_or("0".to_owned(), millis);
    let arguments: [&[u8]; 3] = [&token, &[ending.byte()], remembered.as_bytes()];
    server
        .call(&END, &[names.lease], &arguments, deadline)
        .await?;
    Ok(())
}

pub(super) async fn store(
    server: &Server,
    names: Names,
    token: Token,
    record: &[u8],
    ttl: Duration,
    deadline: Duration,
) -> Result<(), StoreError> {
    let (keys, lasts) = ([names.lease, names.entry], millis(ttl));
    let (landed, failed) = ([Ending::Landed.byte()], [Ending::Abandoned.byte()]);
    let arguments: [&[u8]; 5] = [&token, record, lasts.as_bytes(), &landed, &failed];
    server.call(&STORE, &keys, &arguments, deadline).await?;
    Ok(())
}

fn parse(answer: &[u8], lease: Duration) -> Option<Asked> {
    Some(match answer {
        b"g" => Asked::Granted,
        b"c" => Asked::Changed,
        [b'w', left @ ..] => Asked::Held(left_of(left, lease)?),
        [ending] => Asked::Ended(Ending::of(*ending)?),
        _ => return None,
    })
}

/// One without an end is not of ours: it is given the time of one.
fn left_of(millis: &[u8], lease: Duration) -> Option<Duration> {
    let millis: i64 = str::from_utf8(millis).ok()?.parse().ok()?;
    let millis = u64::try_from(millis).map(Duration::from_millis);
    Some(millis.unwrap_or(lease))
}

/// Redis counts deadlines in a signed number of milliseconds since 1970.
fn millis(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    millis.clamp(1, MILLIS_MAX).to_string()
}

static ASK: LazyLock<Script> = LazyLock::new(|| Script::new("ask", include_str!("ask.lua")));
static PROLONG: LazyLock<Script> =
    LazyLock::new(|| Script::new("prolong", include_str!("prolong.lua")));
static END: LazyLock<Script> = LazyLock::new(|| Script::new("end", include_str!("end.lua")));
static STORE: LazyLock<Script> = LazyLock::new(|| Script::new("store", include_str!("store.lua")));

/// About 300 years.
const MILLIS_MAX: u64 = 10_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_answers_is_read_and_nonsense_is_not() {
        let lease = Duration::from_secs(2);
        let left = Duration::from_millis(1500);
        for (answer, asked) in [
            ("g", Some(Asked::Granted)),
            ("c", Some(Asked::Changed)),
            ("w1500", Some(Asked::Held(left))),
            ("w-1", Some(Asked::Held(lease))),
            ("u", Some(Asked::Ended(Ending::Unshared))),
            ("p", Some(Asked::Ended(Ending::Apart))),
            ("", None),
            ("w", None),
            ("x", None),
            ("granted", None),
        ] {
            assert_eq!(parse(answer.as_bytes(), lease), asked, "{answer:?}");
        }
    }
}
