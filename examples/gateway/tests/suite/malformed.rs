//! What is no request, or two at once: answered with the right 4xx, and never passed on.

use crate::common::{Origin, Reply, Site, ask, exchange, respond};

async fn site() -> (Site, Origin) {
    let origin = Origin::start(|_| respond(200, &[("cache-control", "max-age=60")], "page")).await;
    (Site::new(&origin, "").await, origin)
}

async fn status(site: &Site, request: &str) -> u16 {
    Reply::parse(&exchange(site.address, request.as_bytes()).await).status
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let (site, origin) = site().await;
    let many: String = (0..101)
        .map(|number| format!("x-{number}: 1\r\n"))
        .collect();
    let request = format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n");
    assert_eq!(status(&site, &request).await, 431);
    let long = "x".repeat(70_000);
    let request = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n");
    assert_eq!(status(&site, &request).await, 431);
    let request = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(65_600));
    assert!(matches!(status(&site, &request).await, 414 | 431));
    assert_eq!(origin.count(), 0);
}

#[tokio::test]
async fn lengths_that_contradict_each_other_are_refused() {
    let (site, origin) = site().await;
    for fields in [
        "content-length: 1\r\ncontent-length: 2",
        "content-length: 1, 2",
        "content-length: +1",
        "content-length: -1",
        "content-length: 0x1",
        "content-length: 99999999999999999999999",
        "transfer-encoding: identity",
        "transfer-encoding: chunked, gzip",
        "transfer-encoding: chunked\r\ntransfer-encoding: x",
    ] {
        let request =
            format!("POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n\r\nab");
        assert_eq!(status(&site, &request).await, 400, "{fields}");
    }
    assert_eq!(origin.count(), 0);
}

/// RFC 9112 §6.1 lets a server go by `Transfer-Encoding` alone. What must not be is that the origin goes by
/// the other one, and finds a request in the body.
#[tokio::test]
async fn a_length_beside_chunks_smuggles_nothing() {
    let (site, origin) = site().await;
    for fields in [
        "content-length: 4\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 4",
    ] {
        let inner = "GET /admin HTTP/1.1\r\nhost: a\r\n\r\n";
        let body = format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len());
        let request =
            format!("POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n\r\n{body}");
        let status = status(&site, &request).await;
        assert_eq!(status, 200, "{fields}");
    }
    assert_eq!(origin.count(), 2);
    for asked in origin.asked() {
        assert_eq!(asked.uri, "/");
        assert!(asked.body.starts_with(b"GET /admin"));
        assert!(!asked.headers.contains_key("content-length"));
    }
}

#[tokio::test]
async fn chunks_that_are_none_do_not_reach_the_origin_as_a_whole_body() {
    let (site, origin) = site().await;
    for body in [
        "zz\r\nab\r\n0\r\n\r\n",
        "-1\r\n",
        "2\r\nabXX0\r\n\r\n",
        "ffffffffffffffff1\r\n",
    ] {
        let head =
            "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        let status = status(&site, &format!("{head}{body}")).await;
        assert_eq!(status, 400, "{body:?}");
    }
    // It may have been begun to be sent; it never ended well, or it would be a request without its end.
    assert!(origin.asked().iter().all(|asked| asked.body.is_empty()));
}

#[tokio::test]
async fn methods_are_tokens_and_two_of_them_are_not_for_a_gateway() {
    let (site, origin) = site().await;
    assert_eq!(
        status(&site, "G@T / HTTP/1.1\r\nhost: a\r\n\r\n").await,
        400
    );
    assert_eq!(
        status(&site, "GET\t/ HTTP/1.1\r\nhost: a\r\n\r\n").await,
        400
    );
    let trace = ask(site.address, "TRACE /", &[]).await;
    assert_eq!(trace.status, 405);
    assert!(trace.field("allow").contains("GET"));
    let tunnel = "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\nconnection: close\r\n\r\n";
    assert_eq!(status(&site, tunnel).await, 405);
    assert_eq!(origin.count(), 0);
    // Unknown is not wrong.
    assert_eq!(ask(site.address, "PROPFIND /", &[]).await.status, 200);
    assert_eq!(origin.last().method, "PROPFIND");
}

#[tokio::test]
async fn every_form_of_target_is_one_resource_or_refused() {
    let (site, origin) = site().await;
    assert!(!site.get("/a").await.is_hit());
    // RFC 9112 §3.2.2: the host of the target counts.
    let absolute = "GET http://site/a HTTP/1.1\r\nhost: other\r\nconnection: close\r\n\r\n";
    let reply = Reply::parse(&exchange(site.address, absolute.as_bytes()).await);
    assert!(reply.is_hit(), "{reply:?}");
    assert_eq!(origin.count(), 1);
    for line in [
        "GET site:80",
        "GET *",
        "GET ftp://site/a",
        "GET a",
        "GET http://u:p@site/",
    ] {
        let reply = ask(site.address, line, &[]).await;
        assert_eq!(reply.status, 400, "{line}");
    }
    assert_eq!(ask(site.address, "OPTIONS *", &[]).await.status, 204);
    assert_eq!(
        ask(site.address, "OPTIONS /a", &["max-forwards: 0"])
            .await
            .status,
        204
    );
    assert_eq!(origin.count(), 1);
    assert_eq!(
        ask(site.address, "OPTIONS /a", &["max-forwards: 2"])
            .await
            .status,
        200
    );
    assert_eq!(origin.last().headers["max-forwards"], "1");
}

#[tokio::test]
async fn one_valid_host_is_needed() {
    let (site, origin) = site().await;
    for host in [
        "",
        "host: a\r\nhost: b\r\n",
        "host: \r\n",
        "host: a b\r\n",
        "host: u@a\r\n",
        "host: a/b\r\n",
    ] {
        let request = format!("GET / HTTP/1.1\r\nconnection: close\r\n{host}\r\n");
        assert_eq!(status(&site, &request).await, 400, "{host:?}");
    }
    assert_eq!(origin.count(), 0);
    assert_eq!(status(&site, "GET / HTTP/1.0\r\n\r\n").await, 200);
    assert_eq!(origin.last().headers["host"], origin.address.to_string());
}

#[tokio::test]
async fn a_host_that_is_not_served_is_misdirected() {
    let origin = Origin::start(|_| respond(200, &[], "")).await;
    let site = Site::new(&origin, "hosts = ['SITE', 'b:80']").await;
    assert_eq!(site.get("/").await.status, 200);
    let other = "GET / HTTP/1.1\r\nhost: evil\r\nconnection: close\r\n\r\n";
    assert_eq!(status(&site, other).await, 421);
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn paths_with_two_meanings_go_no_further() {
    let (site, origin) = site().await;
    for path in [
        "/assets/../account",
        "/assets/%2e%2e/account",
        "/assets/..%2faccount",
        "/assets/..%5caccount",
        "/assets/%252e%252e%252faccount",
        "/assets/..;/account",
        "/account%00.css",
        "/account%0a.css",
        "/a%",
        "/a%zz",
        "/\u{fc}",
    ] {
        assert_eq!(site.get(path).await.status, 400, "{path}");
    }
    assert_eq!(origin.count(), 0);
    assert_eq!(site.get("/@scope%2fname").await.status, 200);
    assert_eq!(origin.last().uri, "/@scope%2fname");
}

#[tokio::test]
async fn fields_with_control_characters_or_folds_are_refused() {
    let (site, origin) = site().await;
    for field in ["x: a\0b", "x: a\r\n b", "x : a", "x\u{1}: a", ": a"] {
        let request = format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{field}\r\n\r\n");
        assert_eq!(status(&site, &request).await, 400, "{field:?}");
    }
    assert_eq!(origin.count(), 0);
}

#[tokio::test]
async fn what_was_refused_is_not_stored_and_the_next_request_is_answered() {
    let (site, origin) = site().await;
    let long = format!("x: {}", "x".repeat(70_000));
    assert_eq!(site.get_with("/", &[&long]).await.status, 431);
    let reply = site.get("/").await;
    assert_eq!(
        (reply.status, reply.is_hit(), origin.count()),
        (200, false, 1)
    );
}
