//! Whoever is over a limit costs Redis next to nothing.

use std::collections::BTreeMap;

use tokio::runtime::Builder;
use tower::{Layer, Service};
use tower_keep_bench::{Bare, SharedLimits, from_merchant, scarce};

#[test]
fn forty_thousand_requests_over_a_limit_make_four_hundred_calls_at_most() {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let redis = SharedLimits::start().await;
        let limited = redis.layer(scarce("per-minute")).layer(Bare::new());
        redis.server().reset_stats();
        let passed = flood(limited).await;
        let stats = redis.server().command_stats();
        let calls = calls(&stats);
        println!("{REQUESTS} requests: {passed} passed, {calls} calls: {stats:?}");
        assert!(
            passed >= 100,
            "{passed} of {REQUESTS} passed, 100 are allowed"
        );
        assert!(calls <= REQUESTS / 100, "{calls} calls: {stats:?}");
    });
}

/// Eight callers at once, all for one merchant; how many requests passed.
async fn flood<S, B>(limited: S) -> u64
where
    S: Service<tower_keep_bench::Request, Response = http::Response<B>> + Clone + Send + 'static,
    S::Error: std::fmt::Debug,
    S::Future: Send,
    B: Send,
{
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let mut limited = limited.clone();
            tokio::spawn(async move {
                let mut passed = 0;
                for _ in 0..REQUESTS / CALLERS {
                    let answer = limited.call(from_merchant("m-42")).await;
                    let status = answer.expect("an answer").status();
                    passed += u64::from(status.is_success());
                }
                passed
            })
        })
        .collect();
    let mut passed = 0;
    for caller in callers {
        passed += caller.await.expect("a caller that does not panic");
    }
    passed
}

/// All that was sent, the store's own upkeep with it. The statistics count what scripts call too: a `TIME`
/// and at most a `GET` and a `SET` for each run of the limit's.
fn calls(stats: &BTreeMap<String, u64>) -> u64 {
    let count = |name: &str| stats.get(name).copied().unwrap_or(0);
    let runs = count("evalsha") + count("eval");
    let by_scripts = ["time", "get", "set"].map(|name| count(name).min(runs));
    stats.values().sum::<u64>() - by_scripts.iter().sum::<u64>()
}

const REQUESTS: u64 = 40_000;
const CALLERS: u64 = 8;
