//! What an identity costs Redis in memory.

use std::time::Duration;

use tokio::runtime::Builder;
use tower::{Layer, Service};
use tower_keep_bench::{Bare, MERCHANT, SharedLimits, from_merchant};
use tower_keep_rate_limit::{Key, Policy, Quota};
use tower_keep_test_support::{RedisServer, Reply};

#[test]
fn an_identity_takes_no_more_than_its_bound_of_redis() {
    let day = |limit| Quota::new(limit, Duration::from_secs(24 * 3600));
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    println!("bytes of Redis for each identity:");
    // What is allowed is where it stands, so that it never gets worse. A fourth of the identities fills the
    // server's tables as much.
    for (name, quotas, identities, allowed) in [
        ("even", &[day(100)][..], 100_000, 170.0),
        ("strict", &[day(100).strict()], 25_000, 190.0),
        ("fixed window", &[day(100).fixed_window()], 25_000, 190.0),
        ("two, even", &[day(100), day(1000)], 25_000, 340.0),
        (
            "even and strict",
            &[day(100), day(1000).strict()],
            25_000,
            360.0,
        ),
    ] {
        let bytes = runtime.block_on(bytes_per_identity(quotas, identities));
        let most = TARGET * quotas.len() as f64;
        let target_met = if bytes <= most { "met" } else { "missed" };
        println!("{name:<16} {bytes:>6.1}, at most {most}: {target_met}");
        assert!(bytes <= allowed, "{name}: {bytes} bytes, {allowed} allowed");
    }
}

async fn bytes_per_identity(quotas: &[Quota], identities: usize) -> f64 {
    let redis = SharedLimits::start().await;
    let mut builder = redis.builder();
    for (policy, quota) in quotas.iter().enumerate() {
        let policy = Policy::new(format!("policy-{policy}"), *quota);
        builder = builder.policy(policy.by(Key::header(MERCHANT)));
    }
    let limited = builder.build().expect("makes sense").layer(Bare::new());
    // What the first call brings with it is nobody's.
    for _ in 0..2 {
        request(limited.clone(), usize::MAX).await;
    }
    let before = used_memory(redis.server());
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let limited = limited.clone();
            tokio::spawn(async move {
                for identity in (caller..identities).step_by(CALLERS) {
                    request(limited.clone(), identity).await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("a caller that does not panic");
    }
    (used_memory(redis.server()) - before) as f64 / identities as f64
}

async fn request<S, B>(mut limited: S, identity: usize)
where
    S: Service<tower_keep_bench::Request, Response = http::Response<B>>,
    S::Error: std::fmt::Debug,
{
    let answer = limited.call(from_merchant(&format!("m-{identity}"))).await;
    assert!(answer.expect("an answer").status().is_success());
}

fn used_memory(server: &RedisServer) -> u64 {
    let info = server.command(&["INFO", "memory"]);
    let Some(info) = Reply::text(&info) else {
        panic!("INFO answers with text, not {info:?}");
    };
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    line.and_then(|bytes| bytes.parse().ok())
        .expect("a number of bytes")
}

const CALLERS: usize = 256;

/// For each policy.
const TARGET: f64 = 160.0;
