use std::time::Duration;

use tower_keep_test_support::RedisServer;

use super::*;
use crate::{
    place::{Beginning, New},
    record::Changes,
    ticket::Ticket,
};

const HOUR: i64 = 3_600_000;

fn sessions(redis: &RedisServer) -> Shared {
    let store = Store::builder().deadline(Duration::from_secs(10));
    let store = store.connect(&redis.url()).expect("a good URL");
    let server = store.server().expect("a store on a server");
    Shared::new(&store, server)
}

/// What is due by a clock that is ahead would be due again with every request.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_begins_tells_the_servers_time() {
    let redis = RedisServer::start();
    let shared = sessions(&redis);
    let begins = Replace {
        old: None,
        came: None,
        new: Some(New {
            at: At::of(&Ticket::new(None)),
            beginning: Beginning::Anonymous,
            label: String::new(),
        }),
        changes: Changes::new(),
    };
    for wrong in [2 * HOUR, -2 * HOUR] {
        shared.ahead.store(wrong, Relaxed);
        let lifetimes = Lifetimes::default();
        let begun = shared.replace(begins.clone(), &lifetimes).await;
        assert!(matches!(begun, Ok(Replaced::Done(..))), "{begun:?}");
        assert!(shared.ahead.load(Relaxed).abs() < HOUR);
        assert!(shared.servers_now().abs_diff(shared.now()) < HOUR as u64);
    }
}
