//! Fields that speak to this cache in place of `Cache-Control` (RFC 9213).

mod common;

use std::time::Duration;

use http::{HeaderName, Request};
use tower_keep_store::Outcome;
use tower_keep_test_support::{Origin, ScriptedBody};

use self::common::*;

const SURROGATE: HeaderName = HeaderName::from_static("surrogate-control");
const CDN: HeaderName = HeaderName::from_static("cdn-cache-control");

#[tokio::test]
async fn what_is_said_to_this_cache_holds_in_place_of_what_is_said_to_all() {
    for (own, general, outcome) in [
        ("max-age=60", ("cache-control", "no-store"), Outcome::Hit),
        ("max-age=60", ("expires", "0"), Outcome::Hit),
        ("no-store", ("cache-control", "max-age=60"), Outcome::Miss),
        ("max-age=5", ("cache-control", "max-age=60"), Outcome::Miss),
        ("Max-Age=60", ("cache-control", "max-age=5"), Outcome::Miss),
    ] {
        let place = Place::memory();
        let origin = Origin::new(move |_| {
            let fields = [("cdn-cache-control", own), general];
            let page = response(&fields, ScriptedBody::full("page"));
            async move { Ok(page) }
        });
        let layer = place.layer().targets([CDN]).build();
        let cache = service(&layer.expect("good options"), &origin);
        let first = ask(&cache, get("/a")).await;
        assert_eq!(first.field("cdn-cache-control"), Some(own), "it goes on");
        place.clock.advance(Duration::from_secs(10));
        assert_eq!(ask(&cache, get("/a")).await.outcome, Some(outcome), "{own}");
    }
}

#[tokio::test]
async fn nobody_else_is_heard() {
    let origin = counting(&[
        ("cdn-cache-control", "max-age=60"),
        ("surrogate-control", "max-age=60"),
    ]);
    let layer = Place::memory().layer().build();
    let cache = service(&layer.expect("good options"), &origin);
    for _ in 0..2 {
        assert_eq!(ask(&cache, get("/a")).await.outcome, Some(Outcome::Miss));
    }
}

#[tokio::test]
async fn a_surrogate_says_that_it_is_one_and_hears_its_name() {
    let origin = Origin::new(|request: Request<ScriptedBody>| async move {
        let asked = request.headers().get_all("surrogate-capability").iter();
        let surrogates: Vec<_> = asked.filter_map(|value| value.to_str().ok()).collect();
        let name = surrogates.last().and_then(|last| last.split('=').next());
        let control = format!("max-age=60;{}, no-store;other", name.unwrap_or(""));
        let fields = [
            ("surrogate-control", &*control),
            ("x-seen", &surrogates.join("|")),
        ];
        Ok(response(&fields, ScriptedBody::full("page")))
    });
    let layer = Place::memory().layer().targets([SURROGATE]).build();
    let cache = service(&layer.expect("good options"), &origin);
    let further_out = [("surrogate-capability", "cdn=\"Surrogate/1.0\"")];
    let miss = ask(&cache, request("GET", "/a", &further_out)).await;
    let seen = "cdn=\"Surrogate/1.0\"|tower-keep=\"Surrogate/1.0\"";
    assert_eq!(miss.field("x-seen"), Some(seen));
    assert_eq!(ask(&cache, get("/a")).await.outcome, Some(Outcome::Hit));
}
