//! What a class says of the origin: how long it may take, and how many ask it.

use tower_keep::{Mode, Tag};
use tower_keep_test_support::{RedisServer, eventually};

use crate::common::{Origin, SOON, Site, on, respond};

async fn silent() -> Origin {
    Origin::start(|_| respond(200, &[], "ok")).await
}

#[tokio::test]
async fn the_class_of_a_route_says_how_long_the_origin_may_take() {
    let origin = silent().await;
    let config = "
        routes = [{ path = '/a', class = 'a', tags = ['a'] }]
        [classes.a]
        fresh_for = '1h'
        stale_if_error = '1h'
        soft_timeout = '50ms'
        hard_timeout = '200ms'
    ";
    let site = Site::new(&origin, config).await;
    origin.hold(true);
    assert_eq!(site.get("/a").await.status, 504);
    origin.hold(false);
    eventually(SOON, async || site.get("/a").await.is_hit()).await;
    origin.hold(true);
    site.cache
        .invalidate([Tag::new("a")], Mode::Soft)
        .await
        .expect("invalidated");
    let stale = site.get("/a").await;
    assert_eq!((stale.status, stale.body.as_str()), (200, "ok"));
}

#[tokio::test]
async fn something_stale_answers_after_the_soft_timeout_of_all() {
    let origin = silent().await;
    let config = "
        routes = [{ path = '/a', class = 'a', tags = ['a'] }]
        [classes.a]
        fresh_for = '1h'
        stale_if_error = '1h'
        [timeouts]
        soft = '50ms'
    ";
    let site = Site::new(&origin, config).await;
    site.get("/a").await;
    origin.hold(true);
    site.cache
        .invalidate([Tag::new("a")], Mode::Soft)
        .await
        .expect("invalidated");
    let stale = site.get("/a").await;
    assert_eq!((stale.status, stale.body.as_str()), (200, "ok"));
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
        let config = format!("{}\n{lease}", on(&redis));
        let one = Site::new(&origin, &config).await;
        let two = Site::new(&origin, &config).await;
        // Nothing is kept until the log has been heard.
        for (site, path) in [(&one, "/one"), (&two, "/two")] {
            eventually(SOON, async || site.get(path).await.is_hit()).await;
        }
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
    let config = format!("{}\nconsistency = 'strict'", on(&redis));
    let one = Site::new(&origin, &config).await;
    let two = Site::new(&origin, &config).await;
    let uri = "/a".parse().expect("a URI");
    for _ in 0..20 {
        eventually(SOON, async || two.get("/a").await.is_hit()).await;
        one.cache.purge("site", &uri).await.expect("purged");
        assert!(!two.get("/a").await.is_hit());
    }
}
