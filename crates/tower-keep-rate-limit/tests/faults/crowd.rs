//! What somebody with many names can do to others.

use std::{sync::Arc, time::Duration};

use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer};
use tower_keep_store::{Mode, Target, Verdict};
use tower_keep_test_support::{RedisServer, eventually};

use crate::common::{LONG, builder, limited, status};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_who_gets_many_names_banned_invalidates_nobodys_cache() {
    let server = RedisServer::start();
    let store = builder().connect(&server.url()).expect("a good URL");
    let policy = Policy::new("a", Quota::per_hour(1))
        .by(Key::header("x-merchant-id"))
        .ban_after(1, Duration::from_secs(60), Duration::from_secs(60));
    let layer = RateLimitLayer::builder(store.clone())
        .policy(policy)
        .build();
    let layer = layer.expect("makes sense");
    let (service, _) = limited(&layer);
    let service = Arc::new(service);
    eventually(LONG, async || {
        store.log().is_current() && store.log().stamp().epoch != 0
    })
    .await;
    let fetched = store.log().stamp();
    let page = Target::new("tag", b"somebody else's page");
    let names = 66_000_u32;
    let mut tasks = tokio::task::JoinSet::new();
    for first in 0..64_u32 {
        let service = service.clone();
        tasks.spawn(async move {
            for name in (first..names).step_by(64) {
                let name = format!("m-{name}");
                status(&service, &name).await;
                status(&service, &name).await;
            }
        });
    }
    tasks.join_all().await;
    // They are banned in the background.
    let all = async || layer.handle().stats().bans >= u64::from(names);
    eventually(LONG, all).await;
    // Whatever was told of them was told by now, since all that is told goes through one outbox.
    let last = Target::new("tag", b"the last");
    let told = store.log().append(&[last], Mode::Hard, LONG).await;
    told.expect("a server that answers");
    let verdict = store.log().verdict(fetched, &[page]);
    assert_eq!(verdict, Verdict::Valid, "{:?}", layer.handle().stats());
}
