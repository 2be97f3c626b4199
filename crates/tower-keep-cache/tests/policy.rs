//! What the policies of a `CacheLayer` change.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{Request, StatusCode};
use tower::ServiceExt;
use tower_keep_cache::CachePolicy;
use tower_keep_store::Outcome;
use tower_keep_test_support::{Origin, OriginError, ScriptedBody};

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

#[tokio::test]
async fn by_the_rfc_what_is_stale_answers_while_the_origin_cannot_be_reached() {
    for (policy, control, is_bridged) in [
        (CachePolicy::rfc9111(), "max-age=60", true),
        (CachePolicy::default(), "max-age=60", false),
        (CachePolicy::rfc9111(), "max-age=60, must-revalidate", false),
        (
            CachePolicy::rfc9111(),
            "max-age=60, proxy-revalidate",
            false,
        ),
        (CachePolicy::rfc9111(), "s-maxage=60", false),
    ] {
        let place = Place::memory();
        let is_up = Arc::new(AtomicBool::new(true));
        let up = is_up.clone();
        let origin = Origin::new(move |_| {
            let page = response(&[("cache-control", control)], ScriptedBody::full("page"));
            let is_up = up.load(Ordering::SeqCst);
            async move { is_up.then_some(page).ok_or(OriginError::numbered(7)) }
        });
        let layer = place.layer().policy(policy).build().expect("good options");
        let cache = service(&layer, &origin);
        ask(&cache, get("/")).await;
        is_up.store(false, Ordering::SeqCst);
        place.clock.advance(Duration::from_secs(61));
        let answer = cache.clone().oneshot(get("/")).await;
        assert_eq!(answer.is_ok(), is_bridged, "{policy:?} {control}");
        assert_eq!(origin.calls(), 2);
        place.clock.advance(Duration::from_secs(3600));
        assert!(cache.clone().oneshot(get("/")).await.is_err());
    }
}

#[tokio::test]
async fn by_the_rfc_what_is_said_of_some_fields_holds_for_them_only() {
    for (policy, control, is_stored) in [
        (CachePolicy::rfc9111(), "max-age=60, no-cache=\"a\"", true),
        (
            CachePolicy::rfc9111(),
            "max-age=60, no-cache=\"a, x-none\"",
            true,
        ),
        (
            CachePolicy::rfc9111(),
            "max-age=60, no-cache=\"a, vary\"",
            false,
        ),
        (
            CachePolicy::rfc9111(),
            "max-age=60, no-cache=\"a\", no-cache",
            false,
        ),
        (CachePolicy::default(), "max-age=60, no-cache=\"a\"", false),
        (CachePolicy::rfc9111(), "max-age=60, private=\"a\"", false),
    ] {
        let origin = Origin::new(move |_| {
            let fields = [("cache-control", control), ("a", "1"), ("b", "1")];
            let page = response(&fields, ScriptedBody::full("page"));
            async move { Ok(page) }
        });
        let layer = Place::memory().layer().policy(policy).build();
        let cache = service(&layer.expect("good options"), &origin);
        assert_eq!(ask(&cache, get("/")).await.field("a"), Some("1"));
        let again = ask(&cache, get("/")).await;
        assert_eq!(
            again.outcome == Some(Outcome::Hit),
            is_stored,
            "{policy:?} {control}"
        );
        assert_eq!(again.field("a").is_none(), is_stored);
        assert_eq!(again.field("b"), Some("1"));
    }
}
