//! The admin address.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tower_keep_test_support::{RedisServer, eventually};

use crate::common::{Origin, Reply, SOON, Site, ask, exchange, open, respond};

const CONFIG: &str = "
    tag_fields = ['cache-tag', 'surrogate-key']
    routes = [{ path = '/tagged/*', tags = ['by-route'] }, { path = '/classed', class = 'a' }]
    [classes.a]
    fresh_for = '1m'
    [admin]
    listen = '127.0.0.1:0'
    token = '0123456789abcdef'
";
const TOKEN: &str = "authorization: Bearer 0123456789abcdef";

async fn site() -> (Site, SocketAddr, Origin) {
    site_on("").await
}

async fn site_on(store: &str) -> (Site, SocketAddr, Origin) {
    let fields = [
        ("cache-control", "max-age=60"),
        ("surrogate-key", "one two"),
    ];
    let origin = Origin::start(move |asked| {
        let fields: &[_] = if asked.uri.path() == "/classed" {
            &[]
        } else {
            &fields
        };
        respond(200, fields, "")
    })
    .await;
    let site = Site::new(&origin, &format!("{store}{CONFIG}")).await;
    let admin = site.admin.expect("an admin address");
    (site, admin, origin)
}

async fn post(admin: SocketAddr, path: &str, json: &str) -> Reply {
    let length = json.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n{TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{json}"
    );
    Reply::parse(&exchange(admin, request.as_bytes()).await)
}

#[tokio::test]
async fn a_url_a_tag_a_class_and_everything_can_be_cleared_out() {
    let (site, admin, _origin) = site().await;
    for (path, clear, what) in [
        ("/a", "/purge?url=http://site/a", ""),
        ("/a", "/invalidate", r#"{"tags":["two"]}"#),
        ("/tagged/a", "/invalidate", r#"{"tags":["by-route"]}"#),
        ("/classed", "/invalidate", r#"{"classes":["a"]}"#),
        ("/a", "/invalidate", r#"{"everything":true}"#),
    ] {
        site.get(path).await;
        let hit = site.get(path).await;
        assert!(hit.is_hit(), "{path}");
        assert!(!hit.has("surrogate-key"));
        let reply = post(admin, clear, what).await;
        assert_eq!(reply.status, 204, "{clear} {what}: {}", reply.body);
        assert!(!site.get(path).await.is_hit(), "{clear} {what}");
    }
}

#[tokio::test]
async fn all_that_is_named_is_cleared_out_here_while_the_store_is_down() {
    let mut redis = RedisServer::start();
    let (site, admin, _origin) = site_on(&format!("store = '{}'", redis.url())).await;
    for path in ["/a", "/classed"] {
        eventually(SOON, async || site.get(path).await.is_hit()).await;
    }
    redis.kill();
    let reply = post(admin, "/invalidate", r#"{"tags":["two"],"classes":["a"]}"#).await;
    assert_eq!(reply.status, 503, "{}", reply.body);
    for path in ["/a", "/classed"] {
        assert!(!site.get(path).await.is_hit(), "{path}");
    }
}

#[tokio::test]
async fn what_is_kept_of_a_url_can_be_looked_at() {
    let (site, admin, _origin) = site().await;
    let nothing = ask(admin, "GET /inspect?url=http://site/a", &[TOKEN]).await;
    assert_eq!((nothing.status, &*nothing.body), (200, "[]"));
    site.get("/a").await;
    let found = ask(admin, "GET /inspect?url=http://site/a", &[TOKEN]).await;
    assert!(found.body.contains(r#""state":"fresh""#), "{}", found.body);
    post(admin, "/purge?url=http://site/a", "").await;
    let found = ask(admin, "GET /inspect?url=http://site/a", &[TOKEN]).await;
    assert!(
        found.body.contains(r#""state":"invalidated""#),
        "{}",
        found.body
    );
    assert!(found.body.contains(r#""targets_invalidated":1"#));
    let refused = ask(admin, "GET /inspect?url=/a", &[TOKEN]).await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn nobody_gets_in_without_the_token_or_by_the_public_address() {
    let (site, admin, _origin) = site().await;
    for fields in [
        &[][..],
        &["authorization: Bearer 0123456789abcdeX"],
        &["authorization: Basic YTpi"],
    ] {
        for line in [
            "GET /stats",
            "GET /metrics",
            "GET /keep",
            "GET /keep/events",
            "POST /purge?url=http://site/",
            "GET /nothing",
        ] {
            let reply = ask(admin, line, fields).await;
            assert_eq!(reply.status, 401, "{line}");
            let basic = if line.starts_with("GET") {
                ", Basic realm=\"gateway\", charset=\"UTF-8\""
            } else {
                ""
            };
            let challenge = reply.field("www-authenticate");
            assert_eq!(challenge, format!("Bearer{basic}"));
        }
    }
    site.get("/a").await;
    // To the public address these are paths of the origin.
    let public = ask(site.address, "POST /purge?url=http://site/a", &[TOKEN]).await;
    assert_eq!(public.status, 200);
    assert!(site.get("/a").await.is_hit());
}

#[tokio::test]
async fn figures_are_told_in_json_and_for_prometheus() {
    let (site, admin, _origin) = site().await;
    site.get("/a").await;
    site.get("/a").await;
    let stats = ask(admin, "GET /stats", &[TOKEN]).await;
    let stats: serde_json::Value = serde_json::from_str(&stats.body).expect("JSON");
    assert_eq!(stats["cache"]["entries"], 1);
    assert!(stats["hit_rate"].is_object());
    let metrics = ask(admin, "GET /metrics", &[TOKEN]).await;
    assert!(
        metrics.body.contains("tower_keep_cache_entries 1"),
        "{}",
        metrics.body
    );
    assert!(metrics.body.contains("outcome=\"hit\""), "{}", metrics.body);
}

#[tokio::test]
async fn the_live_page_is_shown_to_who_knows_the_token_and_nowhere_else() {
    // `operator:0123456789abcdef`, as a browser says it.
    const PASSWORD: &str = "authorization: Basic b3BlcmF0b3I6MDEyMzQ1Njc4OWFiY2RlZg==";
    let (site, admin, _origin) = site().await;
    site.get("/a").await;
    site.get("/a").await;
    for who in [TOKEN, PASSWORD] {
        let page = ask(admin, "GET /keep", &[who]).await;
        assert_eq!(page.status, 200);
        assert!(page.field("content-type").starts_with("text/html"));
        let told = ask(admin, "GET /keep/snapshot", &[who]).await;
        let told: serde_json::Value = serde_json::from_str(&told.body).expect("JSON");
        assert!(told["rules"].is_object(), "{told}");
        let metrics = ask(admin, "GET /keep/metrics", &[who]).await;
        assert!(metrics.body.contains("outcome=\"hit\""), "{}", metrics.body);
    }
    // What a browser says by itself is enough to look, not to change anything.
    let purge = ask(admin, "POST /purge?url=http://site/a", &[PASSWORD]).await;
    assert_eq!(purge.status, 401);
    assert!(site.get("/a").await.is_hit());
    // To the public address it is a path of the origin.
    let public = ask(site.address, "GET /keep", &[TOKEN]).await;
    assert!(!public.body.contains("<html"), "{}", public.body);
}

#[tokio::test]
async fn who_watches_does_not_keep_it_from_stopping() {
    let (mut site, admin, _origin) = site().await;
    let mut stream = open(admin).await;
    let request = format!("GET /keep/events HTTP/1.1\r\nhost: admin\r\n{TOKEN}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.expect("a stream");
    assert_eq!(&first, b"HTTP/1.1 200");
    timeout(SOON, site.stop())
        .await
        .expect("stopped")
        .expect("no panic");
    // The stream ends, too.
    let mut rest = Vec::new();
    let ended = timeout(SOON, stream.read_to_end(&mut rest)).await;
    ended.expect("in time").expect("to its end");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let (_site, admin, _origin) = site().await;
    for (path, json) in [
        ("/purge?url=/a", ""),
        ("/purge", ""),
        ("/purge?url=http://site/&more=1", ""),
        ("/invalidate", "{}"),
        ("/invalidate", r#"{"tag":["a"]}"#),
    ] {
        let status = post(admin, path, json).await.status;
        assert!((400..500).contains(&status), "{path} {json}: {status}");
    }
}
