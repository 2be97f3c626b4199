//! A tag of a million entries in Redis: how long it takes to invalidate it, and what a hit costs among them.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use criterion::{BenchmarkId, Criterion};
use tower_keep_bench::{Load, report::note};
use tower_keep_cache::{CacheHandle, CacheLayer, Class, Tag};
use tower_keep_store::{Mode, Store};
use tower_keep_test_support::{RedisServer, Reply};

use crate::values::{Values, hits, store_on, values};

pub(crate) fn run(criterion: &mut Criterion, load: &Load) {
    let server = RedisServer::start();
    let store = load.block_on(store_on(&server));
    let second = Arc::new(values(store.clone(), Class::first_level, false));
    let handle = CacheLayer::new(store.clone()).handle();
    let tags = [Tag::new("all")];
    // A benchmark that is not asked for need not be prepared for.
    for many in [1000, MANY] {
        let name = format!("of-{many}");
        load.block_on(fill(&second, &store, &server, many, &tags));
        hits(
            criterion,
            load,
            ("second", &name),
            &second,
            &tags,
            move |call| call.wrapping_mul(0x9E37_79B9_7F4A_7C15) % many,
        );
    }
    load.block_on(note_first(&second, &handle, &server, &tags));
    for (name, tag) in [("tag-of-1", Tag::new("one")), ("tag-of-1000000", tags[0])] {
        criterion.benchmark_group("invalidate").bench_function(
            BenchmarkId::new(name, load.tasks()),
            |bencher| {
                bencher.iter_custom(|times| {
                    load.time(times, |_, share| {
                        let handle = handle.clone();
                        async move {
                            for _ in 0..share {
                                let done = handle.invalidate([tag], Mode::Hard).await;
                                done.expect("a server that answers");
                            }
                        }
                    })
                });
            },
        );
    }
}

/// Puts what is not there, as fast as the server takes it.
async fn fill(values: &Values, store: &Store, server: &RedisServer, many: u64, tags: &[Tag]) {
    let fence = values.fence();
    for key in 0..many {
        values.put(fence, ("item", key), tags, key);
        if key % 64 == 0 {
            // Not more writes at a time than the cache allows itself.
            store.ping().await.expect("a server that answers");
            store.ping().await.expect("a server that answers");
        }
    }
    assert_eq!(values.stats().unwritten, 0);
    while entries(server) < many {
        store.ping().await.expect("a server that answers");
    }
}

/// Without the log.
fn entries(server: &RedisServer) -> u64 {
    match server.command(&["DBSIZE"]) {
        Reply::Integer(keys) => keys.unsigned_abs() - 1,
        other => panic!("DBSIZE answers with a number, not {other:?}"),
    }
}

/// The first invalidation, which is the one that reaches a million usable entries; none of them is
/// used afterwards.
async fn note_first(values: &Values, handle: &CacheHandle, server: &RedisServer, tags: &[Tag; 1]) {
    let loads = Arc::new(AtomicU64::new(0));
    let read_some = async || {
        let before = loads.load(Ordering::SeqCst);
        for key in (0..MANY).step_by(997) {
            let loading = async || {
                loads.fetch_add(1, Ordering::SeqCst);
                Ok::<_, Infallible>(key)
            };
            let read = values.get_or_load(("item", key), tags, loading).await;
            read.expect("a load that succeeds");
        }
        loads.load(Ordering::SeqCst) - before
    };
    assert_eq!(read_some().await, 0, "all are there");
    server.reset_stats();
    let start = Instant::now();
    let done = handle.invalidate(*tags, Mode::Hard).await;
    let took = start.elapsed();
    done.expect("a server that answers");
    let records = server.command_stats().get("xadd").copied();
    let (left, loaded) = (entries(server), read_some().await);
    let read = MANY.div_ceil(997);
    assert_eq!(loaded, read, "none is used");
    note(
        "invalidate/tag-of-1000000",
        format!(
            "the first took {took:?} and {records:?} XADD; of the {left} entries in Redis then \
             {loaded} were read, of which {} were used",
            read - loaded
        ),
    );
}

const MANY: u64 = 1_000_000;
