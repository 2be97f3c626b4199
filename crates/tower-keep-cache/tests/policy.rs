//! What the policies of a `CacheLayer` change.

mod common;

use http::{Request, StatusCode};
use tower_keep_cache::CachePolicy;
use tower_keep_store::Outcome;
use tower_keep_test_support::{Origin, ScriptedBody};

use self::common::*;

#[tokio::test]
async fn by_the_rfc_a_failed_change_invalidates_nothing() {
    for (policy, is_kept) in [
        (CachePolicy::default(), false),
        (CachePolicy::rfc9111(), true),
    ] {
        let origin = Origin::new(|request: Request<ScriptedBody>| async move {
            let mut answer = response(&[("cache-control", "max-age=60")], ScriptedBody::empty());
            if request.method() == "POST" {
                *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            }
            Ok(answer)
        });
        let layer = Place::memory().layer().policy(policy).build();
        let service = service(&layer.expect("options that go together"), &origin);
        ask(&service, get("/")).await;
        ask(&service, request("POST", "/", &[])).await;
        let again = ask(&service, get("/")).await;
        assert_eq!(again.outcome == Some(Outcome::Hit), is_kept, "{policy:?}");
    }
}
