//! What other caches were deceived with: public vulnerabilities of response caches, through the gateway.

use crate::common::{Origin, Reply, SOON, Site, ask, exchange, open, respond};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tower_keep_test_support::eventually;

const MINUTE: (&str, &str) = ("cache-control", "max-age=60");

/// An origin that tells how often it was asked.
async fn counting(fields: &'static [(&'static str, &'static str)]) -> Origin {
    let count = std::sync::atomic::AtomicUsize::new(0);
    Origin::start(move |_| {
        let count = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        respond(200, fields, &count.to_string())
    })
    .await
}

#[tokio::test]
async fn hosts_do_not_share_entries() {
    let origin = Origin::start(|asked| {
        respond(
            200,
            &[MINUTE],
            asked.headers["host"].to_str().expect("text"),
        )
    })
    .await;
    let site = Site::new(&origin, "").await;
    for _ in 0..2 {
        for host in ["a", "b", "a:80", "b."] {
            let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
            let reply = Reply::parse(&exchange(site.address, request.as_bytes()).await);
            assert_eq!(reply.body, host);
        }
    }
    assert_eq!(origin.count(), 4);
}

#[tokio::test]
async fn what_restricts_is_read_in_any_case_and_any_place() {
    for restriction in [
        ("cache-control", "max-age=60, No-Store"),
        ("cache-control", "PRIVATE, max-age=60"),
        ("cache-control", "max-age=60, private=\"x\""),
        ("Cache-Control", "ext=\"a, max-age=60\", no-store"),
        ("vary", "*"),
        ("vary", "accept, *"),
    ] {
        let origin = Origin::start(move |_| respond(200, &[restriction, MINUTE], "")).await;
        let site = Site::new(&origin, "").await;
        site.get("/").await;
        assert!(!site.get("/").await.is_hit(), "{restriction:?}");
    }
}

#[tokio::test]
async fn an_answer_to_head_is_none_to_get() {
    let origin = counting(&[MINUTE]).await;
    let site = Site::new(&origin, "").await;
    assert_eq!(ask(site.address, "HEAD /", &[]).await.body, "");
    assert_eq!(site.get("/").await.body, "1");
    assert_eq!(
        ask(site.address, "HEAD /", &[])
            .await
            .field("content-length"),
        "1"
    );
}

#[tokio::test]
async fn an_answer_to_post_is_never_replayed() {
    let origin = counting(&[MINUTE]).await;
    let site = Site::new(&origin, "").await;
    let post = "POST / HTTP/1.1\r\nhost: site\r\nconnection: close\r\ncontent-length: 1\r\n\r\na";
    for number in 0..3 {
        let reply = Reply::parse(&exchange(site.address, post.as_bytes()).await);
        assert_eq!(reply.body, number.to_string());
    }
}

#[tokio::test]
async fn a_get_that_another_field_turns_into_something_else_fills_nothing() {
    let origin = counting(&[MINUTE]).await;
    let site = Site::new(&origin, "").await;
    for field in [
        "x-http-method-override: DELETE",
        "x-method-override: POST",
        "x-original-url: /admin",
        "x-rewrite-url: /admin",
    ] {
        site.get_with("/", &[field]).await;
    }
    let fat = "GET / HTTP/1.1\r\nhost: site\r\nconnection: close\r\ncontent-length: 4\r\n\r\na=42";
    exchange(site.address, fat.as_bytes()).await;
    let chunked = "GET / HTTP/1.1\r\nhost: site\r\nconnection: close\r\n\
        transfer-encoding: chunked\r\n\r\n4\r\na=42\r\n0\r\n\r\n";
    exchange(site.address, chunked.as_bytes()).await;
    assert_eq!(site.get("/").await.body, "6");
    assert!(site.get("/").await.is_hit());
}

#[tokio::test]
async fn a_part_is_not_taken_for_the_whole() {
    let origin = Origin::start(|asked| {
        if asked.headers.contains_key("range") {
            respond(206, &[MINUTE, ("content-range", "bytes 0-0/4")], "p")
        } else {
            respond(200, &[MINUTE], "page")
        }
    })
    .await;
    let site = Site::new(&origin, "").await;
    assert_eq!(site.get_with("/", &["range: bytes=0-0"]).await.status, 206);
    assert_eq!(site.get("/").await.body, "page");
}

#[tokio::test]
async fn an_error_that_a_client_provokes_is_not_everybodys() {
    let origin = Origin::start(|asked| {
        if asked.headers.contains_key("x-odd") {
            respond(400, &[], "what?")
        } else {
            respond(200, &[MINUTE], "page")
        }
    })
    .await;
    let site = Site::new(&origin, "").await;
    assert_eq!(site.get_with("/", &["x-odd: 1"]).await.status, 400);
    assert_eq!(site.get("/").await.body, "page");
}

#[tokio::test]
async fn a_page_of_one_is_not_cached_because_its_address_looks_like_a_file() {
    let origin = Origin::start(|asked| {
        let who = asked
            .headers
            .get("cookie")
            .map_or("nobody", |who| who.to_str().expect("text"));
        respond(200, &[], who)
    })
    .await;
    let config = "
        routes = [{ path = '/assets/*', class = 'assets' }]
        [classes.assets]
        fresh_for = '1h'
    ";
    let site = Site::new(&origin, config).await;
    for path in [
        "/account/x.css",
        "/account;x.css",
        "/account%3fx.css",
        "/assets/a.css",
    ] {
        assert_eq!(
            site.get_with(path, &["cookie: victim"]).await.body,
            "victim"
        );
        assert_eq!(site.get(path).await.body, "nobody", "{path}");
    }
}

#[tokio::test]
async fn a_cookie_that_is_set_is_for_one_alone() {
    let origin = Origin::start({
        let count = std::sync::atomic::AtomicUsize::new(0);
        move |_| {
            let count = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let cookie = format!("id={count}");
            respond(200, &[MINUTE, ("set-cookie", &cookie)], &cookie)
        }
    })
    .await;
    let site = Site::new(&origin, "").await;
    let asking: Vec<_> = (0..20)
        .map(|_| tokio::spawn(ask_once(site.address)))
        .collect();
    let mut cookies = Vec::new();
    for reply in asking {
        let reply = reply.await.expect("answered");
        assert_eq!(reply.field("set-cookie"), reply.body);
        cookies.push(reply.body);
    }
    cookies.sort_unstable();
    cookies.dedup();
    assert_eq!(cookies.len(), 20);
}

async fn ask_once(address: std::net::SocketAddr) -> Reply {
    ask(address, "GET /", &[]).await
}

/// On a connection that stays open, the body of a request that was refused is not the next request.
#[tokio::test]
async fn a_body_that_nobody_read_is_no_request() {
    let origin = counting(&[]).await;
    let config = "
        bounds = { body = 3 }
        rate_limits = [{ name = 'key', by = 'header:x-key', limit = 1, window = '1h' }]
    ";
    let site = Site::new(&origin, config).await;
    assert_eq!(site.get_with("/", &["x-key: a"]).await.status, 200);
    let inner = "GET /smuggled HTTP/1.1\r\nhost: site\r\n\r\n";
    for (line, field) in [
        ("POST /", "x-too: large"),
        ("TRACE /", "x-no: method"),
        ("POST /../", "x-no: path"),
        ("POST /", "x-key: a"),
    ] {
        let length = inner.len();
        let request = format!(
            "{line} HTTP/1.1\r\nhost: site\r\n{field}\r\ncontent-length: {length}\r\n\r\n{inner}"
        );
        let mut stream = open(site.address).await;
        stream.write_all(request.as_bytes()).await.expect("sent");
        let _ = stream.shutdown().await;
        let answer = crate::common::read_to_end(&mut stream).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{line}: {answer}");
        assert!(answer.starts_with("HTTP/1.1 4"), "{line}: {answer}");
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn requests_in_a_pipeline_are_answered_one_by_one() {
    let origin = Origin::start(|asked| respond(200, &[MINUTE], asked.uri.path())).await;
    let site = Site::new(&origin, "").await;
    let one = |path| format!("GET {path} HTTP/1.1\r\nhost: site\r\n\r\n");
    let mut stream = open(site.address).await;
    let all = [one("/a"), one("/b"), one("/a")].concat();
    stream.write_all(all.as_bytes()).await.expect("sent");
    let mut text = String::new();
    let read = timeout(SOON, async {
        let mut buffer = [0; 1024];
        while !text.ends_with("/a") || text.matches("HTTP/1.1 200").count() < 3 {
            let count = stream.read(&mut buffer).await.expect("readable");
            assert!(count > 0);
            text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    });
    read.await.expect("in time");
    let order: Vec<_> = text
        .split("\r\n\r\n")
        .skip(1)
        .map(|body| &body[..2])
        .collect();
    assert_eq!(order, ["/a", "/b", "/a"]);
}

#[tokio::test]
async fn a_client_that_leaves_does_not_leave_half_a_page_behind() {
    let page = "x".repeat(500_000);
    let whole = page.clone();
    let origin = Origin::start(move |_| respond(200, &[MINUTE], &page)).await;
    let site = Site::new(&origin, "").await;
    let mut stream = open(site.address).await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: site\r\n\r\n")
        .await
        .expect("sent");
    let mut first = [0; 1000];
    stream.read_exact(&mut first).await.expect("begun");
    drop(stream);
    eventually(SOON, async || {
        let reply = site.get("/").await;
        assert_eq!(reply.body.len(), whole.len());
        reply.is_hit()
    })
    .await;
}
