//! What clients whom nobody knows can do to everybody else.

use tower_keep_session::SessionLayer;
use tower_keep_store::Store;

use crate::common::Browser;

/// In memory, whoever has no session makes those of users end.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_nobody_end_before_those_of_users() {
    let layer = SessionLayer::new(Store::builder().memory_limit(100_000).memory());
    let mut user = Browser::new(&layer);
    user.login("ada").await;
    for i in 0..1000 {
        Browser::new(&layer).set("n", i).await;
    }
    // FAILS: a thousand visits without a cookie log everybody out.
    assert_eq!(user.user().await.as_deref(), Some("ada"));
}
