//! Requests of clients that have a session.

use tower::Layer;
use tower_keep_bench::{Bare, PeerReads, PeerSessions, Reads, SharedSessions, Writes, signed_in};
use tower_keep_session::SessionLayer;
use tower_keep_store::Store;

use crate::{
    asked::Asked,
    client::{CLIENTS, check},
    plan::Plan,
    server::serve,
    threads::Threads,
};

pub(crate) fn run(plan: &Plan, threads: &Threads, bare: Asked) {
    let servers = &threads.servers;
    let redis = servers.block_on(SharedSessions::start(CLIENTS));
    let peer = servers.block_on(PeerSessions::start(redis.server(), CLIENTS));
    let embedded = SessionLayer::new(Store::memory());
    let in_memory = servers.block_on(async {
        let mut cookies = Vec::new();
        for _ in 0..CLIENTS {
            cookies.push(signed_in(&embedded, None).await);
        }
        cookies
    });
    let [cookies, of_users, theirs, in_memory] = [
        redis.cookies.clone(),
        redis.of_users.clone(),
        peer.cookies,
        in_memory,
    ]
    .map(kept);

    let bare = bare.with(cookies);
    let pipeline = Asked::of(servers.block_on(serve(redis.bare.clone()))).with(cookies);
    let layer = &redis.layer;
    let untouched = Asked::of(servers.block_on(serve(layer.layer(Bare::new())))).with(cookies);
    let read = Asked::of(servers.block_on(serve(layer.layer(Reads::new())))).with(cookies);
    let write = Asked::of(servers.block_on(serve(layer.layer(Writes::new())))).with(cookies);
    let memory = embedded.layer(Reads::new());
    let memory = Asked::of(servers.block_on(serve(memory))).with(in_memory);
    let layer = &peer.layer;
    let peer_untouched = Asked::of(servers.block_on(serve(layer.layer(Bare::new())))).with(theirs);
    let peer = Asked::of(servers.block_on(serve(layer.layer(PeerReads::new())))).with(theirs);

    threads.clients.block_on(check(read, 0, "vary: cookie"));
    let rows = [
        ("untouched", [bare, untouched], Some(0.95)),
        ("read / HGETALL + PTTL", [pipeline, read], Some(0.9)),
        (
            "read of a user / the same",
            [pipeline, read.with(of_users)],
            None,
        ),
        ("read / tower-sessions", [peer, read], Some(1.0)),
        ("read / bare handler", [bare, read], None),
        ("HGETALL + PTTL / bare handler", [bare, pipeline], None),
        ("write / bare handler", [bare, write], None),
        ("read in memory", [bare, memory], None),
    ];
    for (name, pair, target) in rows {
        plan.compare(threads, &format!("sessions/{name}"), pair, target);
    }
    for (name, pair) in [
        ("read", [bare, peer]),
        ("untouched", [bare, peer_untouched]),
    ] {
        plan.compare(
            threads,
            &format!("peers/tower-sessions, {name}"),
            pair,
            None,
        );
    }
}

/// The clients are asked with them for as long as the process lives.
fn kept(cookies: Vec<String>) -> &'static [String] {
    cookies.leak()
}
