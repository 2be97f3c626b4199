//! Looks into the server, and admissions with their times.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;
use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer};
use tower_keep_store::{Clock, Store};
use tower_keep_test_support::{RedisServer, Reply};

use crate::common::builder;

/// What a busy machine may add to any bound.
pub(crate) const SLACK: Duration = Duration::from_secs(2);

/// A store of its own: what another process would have.
pub(crate) fn process(server: &RedisServer) -> Store {
    builder().connect(&server.url()).expect("a good URL")
}

/// A store that waits no longer than this.
pub(crate) fn process_within(url: &str, deadline: Duration) -> Store {
    let builder = builder().deadline(deadline);
    builder.connect(url).expect("a good URL")
}

/// A store of its own, by a clock that the test moves.
pub(crate) fn process_by(server: &RedisServer, clock: &Clock) -> Store {
    let builder = builder().clock(clock.clone());
    builder.connect(&server.url()).expect("a good URL")
}

pub(crate) fn merchant(quota: Quota) -> Policy {
    Policy::new("merchant", quota).by(Key::header("x-merchant-id"))
}

pub(crate) fn layer(store: Store, policy: Policy) -> RateLimitLayer {
    let layer = RateLimitLayer::builder(store).policy(policy).build();
    layer.expect("makes sense")
}

/// The names of all keys that begin so.
pub(crate) fn keys(server: &RedisServer, start: &str) -> Vec<String> {
    let Reply::Array(Some(names)) = server.command(&["KEYS", &format!("{start}*")]) else {
        panic!("KEYS answers with a list");
    };
    let names = names.iter().map(|name| name.text().expect("a name"));
    names.collect()
}

/// The one bucket on the server.
pub(crate) fn bucket(server: &RedisServer) -> String {
    let mut keys = keys(server, "keep:r:");
    assert_eq!(keys.len(), 1, "one bucket: {keys:?}");
    keys.remove(0)
}

/// Milliseconds that a key has to live; -1 for ever, -2 if there is none.
pub(crate) fn lives(server: &RedisServer, key: &str) -> i64 {
    match server.command(&["PTTL", key]) {
        Reply::Integer(millis) => millis,
        other => panic!("PTTL answers with a number, not {other:?}"),
    }
}

/// All buckets, byte by byte.
pub(crate) fn buckets(server: &RedisServer) -> BTreeMap<String, Reply> {
    let dump = |key: String| {
        let bytes = server.command(&["DUMP", &key]);
        (key, bytes)
    };
    keys(server, "keep:r:").into_iter().map(dump).collect()
}

/// The server's time in microseconds.
pub(crate) fn time(server: &RedisServer) -> u64 {
    let Reply::Array(Some(parts)) = server.command(&["TIME"]) else {
        panic!("TIME answers with a list");
    };
    let part = |reply: &Reply| -> u64 {
        let text = reply.text().expect("text");
        text.parse().expect("a number")
    };
    part(&parts[0]) * 1_000_000 + part(&parts[1])
}

/// A request that passed, some time between these.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passed {
    pub(crate) from: Instant,
    pub(crate) until: Instant,
}

/// Checks that in any interval no more passed for certain than `at_once` and `per_second` for its length.
pub(crate) fn assert_bounded(passed: &[Passed], at_once: f64, per_second: f64) {
    let mut by_end = passed.to_vec();
    by_end.sort_unstable_by_key(|passed| passed.until);
    for first in passed {
        let mut count = 0.0;
        for other in by_end.iter().filter(|other| other.from >= first.from) {
            count += 1.0;
            let length = other.until.duration_since(first.from).as_secs_f64();
            let most = at_once + per_second * length;
            assert!(
                count <= most,
                "{count} passed in {length} s: at most {most}"
            );
        }
    }
}
