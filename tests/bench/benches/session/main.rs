//! The sessions' services, called in process, each beside what it is measured against.

use criterion::Criterion;
use tower::Layer;
use tower_keep_bench::{
    Bare, Load, Reads, Request, SharedSessions, Writes, criterion, figures, measure,
    report::{self, Row, Target, row},
    signed_in, with_cookie,
};
use tower_keep_session::SessionLayer;
use tower_keep_store::Store;

fn main() {
    let figures = figures(env!("CARGO_TARGET_TMPDIR"));
    let mut criterion = criterion(&figures);
    for load in [Load::alone(), Load::crowd()] {
        embedded(&mut criterion, &load);
        shared(&mut criterion, &load);
    }
    criterion.final_summary();
    report::print(&figures, &ROWS);
}

/// In this process's memory.
fn embedded(criterion: &mut Criterion, load: &Load) {
    let layer = SessionLayer::new(Store::memory());
    let cookies = load.block_on(async {
        let mut cookies = Vec::new();
        for _ in 0..load.tasks() {
            cookies.push(signed_in(&layer, None).await);
        }
        cookies
    });
    let request = each(&cookies);
    measure(criterion, (GROUP, "bare"), load, &Bare::new(), &request);
    let service = layer.layer(Bare::new());
    measure(
        criterion,
        (GROUP, "memory-untouched"),
        load,
        &service,
        &request,
    );
    let service = layer.layer(Reads::new());
    measure(criterion, (GROUP, "memory-read"), load, &service, &request);
    let service = layer.layer(Writes::new());
    measure(criterion, (GROUP, "memory-write"), load, &service, &request);
}

/// On a server that processes share.
fn shared(criterion: &mut Criterion, load: &Load) {
    let redis = load.block_on(SharedSessions::start(load.tasks()));
    let request = each(&redis.cookies);
    let service = redis.layer.layer(Bare::new());
    measure(
        criterion,
        (GROUP, "redis-untouched"),
        load,
        &service,
        &request,
    );
    measure(criterion, (GROUP, "pipeline"), load, &redis.bare, &request);
    let service = redis.layer.layer(Reads::new());
    measure(criterion, (GROUP, "redis-read"), load, &service, &request);
    let of_users = each(&redis.of_users);
    measure(
        criterion,
        (GROUP, "redis-read-of-user"),
        load,
        &service,
        &of_users,
    );
    let service = redis.layer.layer(Writes::new());
    measure(criterion, (GROUP, "redis-write"), load, &service, &request);
}

/// Each task with a session of its own.
fn each(cookies: &[String]) -> impl Fn(usize) -> Request {
    move |task| with_cookie(&cookies[task])
}

const ROWS: [Row; 7] = [
    row("session/memory-untouched", "session/bare", Target::None),
    row("session/memory-read", "session/bare", Target::None),
    row("session/memory-write", "session/bare", Target::None),
    row("session/redis-untouched", "session/bare", Target::None),
    row(
        "session/redis-read",
        "session/pipeline",
        Target::Throughput(0.9),
    ),
    row(
        "session/redis-read-of-user",
        "session/pipeline",
        Target::None,
    ),
    row("session/redis-write", "session/pipeline", Target::None),
];

const GROUP: &str = "session";
