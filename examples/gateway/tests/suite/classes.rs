//! What a class says of the origin: how long it may take, and how many ask it.

use tower_keep::{Mode, Tag};
use tower_keep_test_support::{RedisServer, eventually};

use crate::common::{Origin, SOON, Site, respond, two_on};

/// A gateway that keeps `/a`, by a class of which this is said too, for errors as well; more of the configuration may
/// follow.
async fn classed(more: &str) -> (Origin, Site) {
    let origin = Origin::start(|_| respond(200, &[], "ok")).await;
    let config = format!(
        "
        routes = [{{ path = '/a', class = 'a', tags = ['a'] }}]
        [classes.a]
        fresh_for = '1h'
        stale_if_error = '1h'
        {more}
    "
    );
    let site = Site::new(&origin, &config).await;
    (origin, site)
}

/// Where the origin says nothing any more, what is out of date answers.
async fn answers_stale(origin: &Origin, site: &Site) {
    origin.hold(true);
    let told = site.cache.invalidate([Tag::new("a")], Mode::Soft).await;
    told.expect("invalidated");
    let stale = site.get("/a").await;
    assert_eq!((stale.status, stale.body.as_str()), (200, "ok"));
}

#[tokio::test]
async fn the_class_of_a_route_says_how_long_the_origin_may_take() {
    let (origin, site) = classed("soft_timeout = '50ms'\nhard_timeout = '200ms'").await;
    origin.hold(true);
    assert_eq!(site.get("/a").await.status, 504);
    origin.hold(false);
    eventually(SOON, async || site.get("/a").await.is_hit()).await;
    answers_stale(&origin, &site).await;
}

#[tokio::test]
async fn something_stale_answers_after_the_soft_timeout_of_all() {
    let (origin, site) = classed("[timeouts]\nsoft = '50ms'").await;
    site.get("/a").await;
    answers_stale(&origin, &site).await;
}

#[tokio::test]
async fn gateways_fetch_once_for_all_where_there_is_a_lease() {
    const OF_A_CLASS: &str = "
        routes = [{ path = '/*', class = 'a' }]
        [classes.a]
        fresh_for = '1h'
        lease = '2s'
    ";
    for (lease, control) in [
        (OF_A_CLASS, &[][..]),
        ("lease = '2s'", &[("cache-control", "max-age=60")][..]),
    ] {
        let redis = RedisServer::start();
        let origin = Origin::start(move |_| respond(200, control, "ok")).await;
        let (one, two) = two_on(&redis, &origin, lease).await;
        let before = origin.count();
        origin.hold(true);
        let release = async {
            let is_asked = |site: &Site| site.cache.stats().in_flight > 0;
            eventually(SOON, async || {
                is_asked(&one) && is_asked(&two) && origin.count() > before
            })
            .await;
            origin.hold(false);
        };
        let (first, second, ()) = tokio::join!(one.get("/a"), two.get("/a"), release);
        assert_eq!((first.status, second.status), (200, 200));
        assert_eq!(origin.count(), before + 1, "{lease}");
    }
}

#[tokio::test]
async fn a_strict_gateway_never_answers_with_what_another_has_purged() {
    let redis = RedisServer::start();
    let origin = Origin::start(|_| respond(200, &[("cache-control", "max-age=60")], "ok")).await;
    let (one, two) = two_on(&redis, &origin, "consistency = 'strict'").await;
    let uri = "/a".parse().expect("a URI");
    for _ in 0..20 {
        eventually(SOON, async || two.get("/a").await.is_hit()).await;
        one.cache.purge("site", &uri).await.expect("purged");
        assert!(!two.get("/a").await.is_hit());
    }
}
