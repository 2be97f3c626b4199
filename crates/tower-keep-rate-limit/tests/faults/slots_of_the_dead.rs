//! Slots of processes that die, or cannot be heard of any more.

use std::{env, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, ServiceExt};
use tower_keep_rate_limit::{Quota, RateLimit, RateLimitLayer, ResponseBody};
use tower_keep_store::Clock;
use tower_keep_test_support::{Origin, Program, RedisServer, ScriptedBody, TcpProxy, eventually};

use crate::{
    common::{LONG, START, builder, from, limited, status},
    tools::{layer, merchant, process_by},
};

/// The server that the child is to hold slots of.
const SERVER: &str = "KEEP_TEST_SLOTS_OF";

fn slots(url: &str, clock: &Clock) -> RateLimitLayer {
    let store = builder().clock(clock.clone()).connect(url);
    layer(store.expect("a good URL"), merchant(Quota::concurrent(3)))
}

/// Requests whose bodies are never read.
async fn hold(layer: &RateLimitLayer, many: usize) -> Vec<Response<ResponseBody<ScriptedBody>>> {
    let service: RateLimit<Origin<Full<Bytes>>> =
        layer.layer(Origin::new(async |_: Request<Full<Bytes>>| {
            Ok(Response::new(ScriptedBody::full("never read")))
        }));
    let mut open = Vec::new();
    for _ in 0..many {
        let response = service.clone().oneshot(from("m")).await.expect("answers");
        assert_eq!(response.status(), StatusCode::OK);
        open.push(response);
    }
    open
}

/// Starts a process that holds the slots, and waits until it does.
fn holder(server: &RedisServer) -> Program {
    let name = "slots_of_the_dead::a_process_that_holds_slots";
    let mut holder = Program::this(name).env(SERVER, server.url()).start();
    holder.says("holds");
    holder
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the test below"]
#[allow(clippy::print_stdout)]
async fn a_process_that_holds_slots() {
    let Ok(url) = env::var(SERVER) else {
        return;
    };
    let _open = hold(&slots(&url, &Clock::manual(START)), 3).await;
    println!("holds");
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slots_of_a_process_that_was_killed_are_free_after_thirty_seconds() {
    let server = RedisServer::start();
    let clock = Clock::manual(START);
    let holder = holder(&server);
    let (service, _) = limited(&slots(&server.url(), &clock));
    assert_eq!(status(&service, "m").await, StatusCode::TOO_MANY_REQUESTS);
    drop(holder);
    clock.advance(Duration::from_secs(30) - Duration::from_micros(1));
    assert_eq!(status(&service, "m").await, StatusCode::TOO_MANY_REQUESTS);
    clock.advance(Duration::from_micros(1));
    assert_eq!(status(&service, "m").await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_cut_off_keeps_its_slots_no_longer_and_tells_when_it_is_back() {
    let server = RedisServer::start();
    let proxy = TcpProxy::start(server.address()).await;
    let clock = Clock::manual(START);
    let cut_off = slots(&format!("redis://127.0.0.1:{}", proxy.port()), &clock);
    let mut open = hold(&cut_off, 3).await;
    let store = process_by(&server, &clock);
    let (service, _) = limited(&layer(store, merchant(Quota::concurrent(3))));
    assert_eq!(status(&service, "m").await, StatusCode::TOO_MANY_REQUESTS);
    proxy.refuse().await;
    clock.advance(Duration::from_secs(29));
    assert_eq!(status(&service, "m").await, StatusCode::TOO_MANY_REQUESTS);
    clock.advance(Duration::from_secs(1));
    assert_eq!(status(&service, "m").await, StatusCode::OK);
    proxy.resume().await;
    // What it still holds it tells with whatever it asks next.
    open.pop();
    eventually(LONG, async || {
        let (back, _) = limited(&cut_off);
        let _asks = status(&back, "m").await;
        let subject = tower_keep_rate_limit::Subject::header("m");
        let left = cut_off.handle().peek("merchant", &subject).await;
        left.is_ok_and(|left| left.remaining() == 1)
    })
    .await;
}
