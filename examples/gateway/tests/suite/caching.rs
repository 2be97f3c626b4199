//! The cache behind the gateway's door.

use crate::common::{Origin, SOON, Site, ask, respond, two_on};
use tower_keep_test_support::{RedisServer, Reply, eventually};

const MINUTE: (&str, &str) = ("cache-control", "max-age=60");

async fn minute() -> Origin {
    Origin::start(|asked| respond(200, &[MINUTE, ("etag", "\"v1\"")], asked.uri.path())).await
}

#[tokio::test]
async fn a_miss_a_hit_with_its_age_and_a_304() {
    let origin = minute().await;
    let site = Site::new(&origin, "").await;
    let miss = site.get("/a").await;
    assert_eq!(miss.field("cache-status"), "gateway;fwd=uri-miss;stored");
    assert!(!miss.has("age"));
    let hit = site.get("/a").await;
    assert!(hit.is_hit() && hit.has("age"));
    assert_eq!((hit.body.as_str(), origin.count()), ("/a", 1));
    let known = site.get_with("/a", &["if-none-match: \"v1\""]).await;
    assert_eq!((known.status, known.body.as_str()), (304, ""));
    let head = ask(site.address, "HEAD /a", &[]).await;
    assert_eq!(
        (head.status, head.body.as_str(), head.is_hit()),
        (200, "", true)
    );
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn why_a_response_is_not_stored_is_told_if_asked_for() {
    let origin = Origin::start(|_| respond(200, &[("cache-control", "no-store")], "")).await;
    let site = Site::new(&origin, "cache_status = 'explain'").await;
    let status = site.get("/").await.field("cache-status");
    assert!(status.contains("detail=no-store"), "{status}");
    let named = "cache_status = 'explain'\ncache_status_name = 'the edge'";
    let named = Site::new(&origin, named).await.get("/").await;
    let said = named.field("cache-status");
    assert!(said.starts_with("\"the edge\";fwd="), "{said}");
    let silent = Site::new(&origin, "cache_status = 'off'").await;
    assert!(!silent.get("/").await.has("cache-status"));
}

#[tokio::test]
async fn routes_say_what_is_kept_and_how() {
    let origin = Origin::start(|asked| {
        let control: &[_] = match asked.uri.path() {
            "/short/a" => &[("cache-control", "max-age=0")],
            "/private/a" => &[("cache-control", "private, max-age=60")],
            "/none/a" | "/exact" => &[],
            _ => &[MINUTE],
        };
        respond(200, control, "")
    })
    .await;
    let config = "
        routes = [
            { path = '/exact', class = 'a' },
            { path = '/never/*', cache = false },
            { path = '/short/*', class = 'a', force = true },
            { path = '/private/*', class = 'a', force = true },
            { path = '/none/*', class = 'a' },
        ]
        [classes.a]
        fresh_for = '10m'
    ";
    let site = Site::new(&origin, config).await;
    for (path, is_kept) in [
        ("/exact", true),
        ("/never/a", false),
        ("/short/a", true),
        ("/private/a", false),
        ("/none/a", true),
        ("/other", true),
    ] {
        site.get(path).await;
        assert_eq!(site.get(path).await.is_hit(), is_kept, "{path}");
    }
}

#[tokio::test]
async fn what_varies_by_a_field_that_the_gateway_adds_is_not_stored() {
    let origin = Origin::start(|_| respond(200, &[MINUTE, ("vary", "X-Forwarded-For")], "")).await;
    let site = Site::new(&origin, "").await;
    site.get("/").await;
    assert!(!site.get("/").await.is_hit());
}

#[tokio::test]
async fn what_a_client_claims_of_itself_poisons_nothing() {
    let origin = Origin::start(|asked| {
        let host = asked.headers.get("x-forwarded-host");
        respond(
            200,
            &[MINUTE],
            host.and_then(|host| host.to_str().ok()).unwrap_or(""),
        )
    })
    .await;
    let site = Site::new(&origin, "").await;
    let evil = [
        "x-forwarded-host: evil",
        "forwarded: host=evil",
        "x-forwarded-proto: evil",
    ];
    assert_eq!(site.get_with("/", &evil).await.body, "site");
    let hit = site.get("/").await;
    assert!(hit.is_hit() && hit.body == "site");
}

#[tokio::test]
async fn fields_that_connection_names_are_gone_before_the_key_is_made() {
    let origin = Origin::start(|asked| {
        let body = format!("{}", asked.headers.contains_key("x-tenant"));
        respond(200, &[MINUTE, ("vary", "x-tenant")], &body)
    })
    .await;
    let site = Site::new(&origin, "").await;
    let request =
        "GET / HTTP/1.1\r\nhost: site\r\nconnection: close, x-tenant\r\nx-tenant: a\r\n\r\n";
    let named = crate::common::exchange(site.address, request.as_bytes()).await;
    assert!(named.ends_with("false"), "{named}");
    assert!(site.get("/").await.is_hit());
    assert_eq!(site.get_with("/", &["x-tenant: a"]).await.body, "true");
}

#[tokio::test]
async fn errors_of_the_way_to_the_origin_are_not_stored_and_bridged_where_they_may_be() {
    let origin = Origin::start(|_| {
        respond(
            200,
            &[("cache-control", "max-age=1, stale-if-error=60")],
            "ok",
        )
    })
    .await;
    let site = Site::new(&origin, "").await;
    assert_eq!(site.get("/").await.body, "ok");
    drop(origin);
    eventually(SOON, async || {
        let reply = site.get("/").await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "ok"));
        reply.field("cache-status").contains("ttl=-")
    })
    .await;
    let reply = site.get("/other").await;
    assert_eq!(
        (reply.status, reply.field("cache-control").as_str()),
        (502, "no-store")
    );
}

#[tokio::test]
async fn an_unsafe_method_invalidates() {
    let origin = minute().await;
    let site = Site::new(&origin, "").await;
    site.get("/a").await;
    assert!(site.get("/a").await.is_hit());
    ask(site.address, "DELETE /a", &[]).await;
    assert!(!site.get("/a").await.is_hit());
}

#[tokio::test]
async fn gateways_on_one_redis_share_what_they_keep_and_what_they_purge() {
    let redis = RedisServer::start();
    let origin = minute().await;
    let (one, two) = two_on(&redis, &origin, "").await;
    one.get("/a").await;
    // It is written in the background.
    let script = "return #redis.call('KEYS', 'gateway:c:*')";
    let written = async || redis.command(&["EVAL", script, "0"]) == Reply::Integer(3);
    eventually(SOON, written).await;
    assert!(two.get("/a").await.is_hit());
    let uri = "/a".parse().expect("a URI");
    one.cache.purge("site", &uri).await.expect("purged");
    eventually(SOON, async || !two.get("/a").await.is_hit()).await;
}
