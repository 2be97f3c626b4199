//! What a request with a session costs Redis, next to `tower-sessions`, in the same run.

#![allow(clippy::print_stdout, reason = "a table is what it is for")]

mod counted;
mod steps;

use std::{cell::RefCell, time::Duration};

use tower_keep_bench::{PeerSessions, Request, SharedSessions, get, signed_in, with_cookie};
use tower_keep_test_support::{RedisServer, Reply, eventually};

use counted::{Cost, counted};
use steps::{Step, ours, theirs};

/// A request of each kind, by twenty clients: what is counted is divided by that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_is_one_round_trip_and_what_changes_a_session_is_one_script_more() {
    let sessions = start().await;
    let server = sessions.server();
    let nobody: Vec<Request> = (0..CLIENTS).map(|_| get("/")).collect();
    let of_nobody = requests(&sessions.cookies);
    let of_users = requests(&sessions.of_users);
    let of = async |step, requests: &[Request]| {
        counted(server, requests, |request| {
            ours(&sessions.layer, step, request)
        })
        .await
    };
    let mut table = Table::new();
    table.ours(
        "untouched, no cookie",
        &of(Step::Untouched, &nobody).await,
        &[],
        0,
    );
    table.ours("untouched", &of(Step::Untouched, &of_users).await, &[], 0);
    table.ours("read, no cookie", &of(Step::Read, &nobody).await, &[], 0);
    table.ours("read", &of(Step::Read, &of_nobody).await, &READ, 0);
    table.ours(
        "read, of a user",
        &of(Step::Read, &of_users).await,
        &READ_OF_USER,
        0,
    );
    table.ours("write", &of(Step::Write, &of_nobody).await, &READ, 1);
    table.ours(
        "write, of a user",
        &of(Step::Write, &of_users).await,
        &READ_OF_USER,
        1,
    );
    expire_in(server, HALF_A_DAY);
    let renewal = of(Step::Read, &of_nobody).await;
    // Nobody waited for it.
    let renewal = RefCell::new(renewal);
    eventually(LONG, async || {
        renewal.borrow_mut().has_sent("evalsha", CLIENTS as u64)
    })
    .await;
    let renewal = renewal.into_inner();
    expire_in(server, 2 * HALF_A_DAY);
    table.ours("read, renewal due", &renewal, &READ, 1);
    table.ours("login", &of(Step::Login, &of_nobody).await, &READ, 1);
    table.ours(
        "rotation",
        &of(Step::Rotate, &of_users).await,
        &READ_OF_USER,
        1,
    );
    // The clients come with the cookies that they had before.
    let fresh = start().await;
    let of_users = requests(&fresh.of_users);
    let logout = counted(fresh.server(), &of_users, |request| {
        ours(&fresh.layer, Step::Logout, request)
    });
    table.ours("logout", &logout.await, &READ_OF_USER, 1);
    peers(&mut table, &nobody).await;
    table.print();
}

/// Sessions on a server that knows the scripts: what connects before the layer is made learns each when it is
/// first run.
async fn start() -> SharedSessions {
    let sessions = SharedSessions::start(CLIENTS).await;
    let (layer, server) = (&sessions.layer, sessions.server());
    for step in [Step::Write, Step::Rotate, Step::Logout] {
        let request = with_cookie(&signed_in(layer, None).await);
        ours(layer, step, request).await;
    }
    let request = with_cookie(&signed_in(layer, None).await);
    expire_in(server, HALF_A_DAY);
    ours(layer, Step::Read, request).await;
    eventually(LONG, async || {
        keys(server)
            .iter()
            .any(|key| lives(server, key) > HALF_A_DAY)
    })
    .await;
    expire_in(server, 2 * HALF_A_DAY);
    sessions
}

/// Theirs is not ours to judge: it is only that it was measured.
async fn peers(table: &mut Table, nobody: &[Request]) {
    let server = RedisServer::start();
    let peer = PeerSessions::start(&server, CLIENTS).await;
    let known = requests(&peer.cookies);
    let layer = &peer.layer;
    let of = async |step, requests: &[Request]| {
        counted(&server, requests, |request| theirs(layer, step, request)).await
    };
    table.theirs("untouched, no cookie", &of(Step::Untouched, nobody).await);
    table.theirs("untouched", &of(Step::Untouched, &known).await);
    table.theirs("read, no cookie", &of(Step::Read, nobody).await);
    table.theirs("read", &of(Step::Read, &known).await);
    table.theirs("write", &of(Step::Write, &known).await);
    let always = layer.clone().with_always_save(true);
    let renewal = counted(&server, &known, |request| {
        theirs(&always, Step::Read, request)
    });
    table.theirs("read, renewal due", &renewal.await);
    table.theirs("login", &of(Step::Login, &known).await);
    let mut fresh = Vec::new();
    for _ in 0..CLIENTS {
        fresh.push(peer.begin().await);
    }
    let fresh = requests(&fresh);
    table.theirs("rotation", &of(Step::Rotate, &fresh).await);
    let fresh = PeerSessions::start(&server, CLIENTS).await;
    let fresh = requests(&fresh.cookies);
    table.theirs("logout", &of(Step::Logout, &fresh).await);
}

fn requests(cookies: &[String]) -> Vec<Request> {
    cookies.iter().map(|cookie| with_cookie(cookie)).collect()
}

/// Every session is to end then, unless somebody comes.
fn expire_in(server: &RedisServer, millis: i64) {
    for key in keys(server) {
        server.command(&["EVAL", EXPIRE, "1", &key, &millis.to_string()]);
    }
}

/// A session says itself until when it stays.
const EXPIRE: &str = "
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    local head, rest = string.match(redis.call('GET', KEYS[1]), '^(s%d+ %d+ )%d+( .*)$')
    if not head then return end
    local stays = string.format('%.0f', redis.call('TIME')[1] * 1000 + ARGV[1])
    redis.call('SET', KEYS[1], head .. stays .. rest, 'KEEPTTL')";

fn keys(server: &RedisServer) -> Vec<String> {
    let Reply::Array(Some(names)) = server.command(&["KEYS", "keep:s:*"]) else {
        panic!("KEYS answers with a list");
    };
    names.iter().filter_map(Reply::text).collect()
}

fn lives(server: &RedisServer, key: &str) -> i64 {
    match server.command(&["PTTL", key]) {
        Reply::Integer(millis) => millis,
        other => panic!("PTTL answers with a number, not {other:?}"),
    }
}

/// What was measured, and the peer's beside it.
struct Table(Vec<(&'static str, String, String)>);

impl Table {
    fn new() -> Self {
        Self(Vec::new())
    }

    /// Notes ours; a request must have sent just these commands, and so many scripts.
    fn ours(&mut self, step: &'static str, cost: &Cost<'_>, read: &[&str], scripts: u64) {
        let mut expected: Vec<(String, u64)> =
            read.iter().map(|name| ((*name).to_owned(), 1)).collect();
        if scripts > 0 {
            expected.push(("evalsha".to_owned(), scripts));
        }
        expected.sort();
        let sent: Vec<(String, u64)> = cost.sent().into_iter().collect();
        assert_eq!(sent, expected, "{step}: {cost}");
        let most = u64::from(!read.is_empty()) + scripts;
        assert!(cost.round_trips() <= most, "{step}: {cost}");
        self.0.push((step, cost.to_string(), String::new()));
    }

    fn theirs(&mut self, step: &'static str, cost: &Cost<'_>) {
        let row = self.0.iter_mut().find(|(name, ..)| *name == step);
        row.expect("ours was measured").2 = cost.to_string();
    }

    fn print(&self) {
        println!(
            "{:<22} {:<84} tower-sessions",
            "one request", "tower-keep-session"
        );
        for (step, ours, theirs) in &self.0 {
            println!("{step:<22} {ours:<84} {theirs}");
        }
        println!(
            "Round trips, and commands by INFO commandstats; in brackets those that scripts called,"
        );
        println!("here and in the log. Nobody waits for a renewal of ours, nor for the log.");
    }
}

const CLIENTS: usize = 20;
const READ: [&str; 1] = ["get"];
const READ_OF_USER: [&str; 1] = ["mget"];
/// Half of the idle time, in milliseconds.
const HALF_A_DAY: i64 = 43_200_000;
const LONG: Duration = Duration::from_secs(10);
