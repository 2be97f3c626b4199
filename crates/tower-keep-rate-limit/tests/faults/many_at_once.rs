//! More buckets in one call than a command takes from a script at once.

use tokio::task::JoinSet;
use tower::{Layer, ServiceExt};
use tower_keep_rate_limit::{Quota, Subject};
use tower_keep_test_support::{Gate, Origin, RedisServer, ScriptedBody, eventually};

use crate::{
    common::{LONG, from},
    tools::{layer, merchant, process},
};

/// More than two pieces of them.
const MANY: usize = 2500;

fn subject(number: usize) -> Subject {
    Subject::header(number.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_thousands_give_back_while_a_call_is_under_way_reaches_the_server() {
    let mut server = RedisServer::start();
    let policy = merchant(Quota::per_day(5)).count_if(|_| false);
    let layer = layer(process(&server), policy);
    let gate = Gate::closed();
    let service = layer.layer(Origin::new({
        let gate = gate.clone();
        move |_| {
            let passed = gate.pass();
            async move {
                passed.await;
                Ok(http::Response::new(ScriptedBody::full("x")))
            }
        }
    }));
    let handle = layer.handle();
    let mut running = JoinSet::new();
    for number in 0..MANY {
        // This stays used.
        let taken = handle.take("merchant", &subject(number), 2).await;
        assert_eq!(taken.expect("answers"), 2);
        let request = service.clone().oneshot(from(&number.to_string()));
        running.spawn(async move { request.await.expect("no errors").status() });
    }
    eventually(LONG, async || gate.waiters() == MANY).await;
    server.pause();
    gate.open();
    let answers = running.join_all().await;
    assert!(answers.iter().all(|status| *status == 200));
    server.resume();
    for number in 0..MANY {
        let subject = subject(number);
        eventually(LONG, async || {
            let left = handle.peek("merchant", &subject).await;
            left.expect("answers").remaining() == 3
        })
        .await;
    }
}
