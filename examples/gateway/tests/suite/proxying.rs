//! What passes through a gateway, and in which form.

use std::time::Duration;

use crate::common::{
    Origin, Reply, SOON, Site, ask, exchange, open, read_to_end, read_until, respond,
};
use http::Version;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tower_keep_test_support::eventually;

async fn plain() -> Origin {
    Origin::start(|asked| respond(200, &[], &format!("{} {}", asked.method, asked.uri))).await
}

#[tokio::test]
async fn the_origin_is_told_who_asks_for_what_and_by_which_way() {
    let origin = plain().await;
    let site = Site::new(&origin, "").await;
    let claims = [
        "x-forwarded-for: 9.9.9.9",
        "forwarded: for=9.9.9.9",
        "via: 1.0 first",
    ];
    site.get_with("/a?b", &claims).await;
    let headers = origin.last().headers;
    assert_eq!(headers["host"], "site");
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(headers["x-forwarded-host"], "site");
    assert_eq!(headers["x-forwarded-proto"], "http");
    assert_eq!(
        headers["forwarded"],
        "for=127.0.0.1;host=\"site\";proto=http"
    );
    let via: Vec<_> = headers.get_all("via").iter().collect();
    assert_eq!(via[0], "1.0 first");
    assert!(via[1].as_bytes().starts_with(b"1.1 tower-keep-"));
    assert_eq!(origin.last().uri, "/a?b");
}

#[tokio::test]
async fn a_trusted_proxy_in_front_is_believed() {
    let origin = plain().await;
    let site = Site::new(&origin, "trusted_proxies = ['127.0.0.0/8']").await;
    let claims = [
        "x-forwarded-for: 9.9.9.9",
        "x-forwarded-proto: https",
        "x-forwarded-host: shop",
    ];
    site.get_with("/", &claims).await;
    let headers = origin.last().headers;
    assert_eq!(headers["x-forwarded-for"], "9.9.9.9, 127.0.0.1");
    assert_eq!(headers["x-forwarded-proto"], "https");
    assert_eq!(headers["x-forwarded-host"], "shop");
}

#[tokio::test]
async fn what_is_for_one_hop_ends_here_both_ways() {
    let origin = Origin::start(|_| {
        let fields = [
            ("connection", "x-named, keep-alive"),
            ("x-named", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authenticate", "Basic"),
            ("x-stays", "1"),
        ];
        respond(200, &fields, "")
    })
    .await;
    let site = Site::new(&origin, "").await;
    let request = "GET / HTTP/1.1\r\nhost: site\r\nconnection: close, x-mine\r\nx-mine: 1\r\n\
        te: trailers, gzip\r\nproxy-authorization: Basic YTpi\r\nproxy: evil\r\nx-too: 1\r\n\r\n";
    let reply = Reply::parse(&exchange(site.address, request.as_bytes()).await);
    let asked = origin.last().headers;
    for gone in ["x-mine", "proxy-authorization", "proxy", "connection"] {
        assert!(!asked.contains_key(gone), "{gone}");
    }
    assert_eq!(
        (&asked["te"], &asked["x-too"]),
        (
            &"trailers".parse().expect("a value"),
            &"1".parse().expect("a value")
        )
    );
    for gone in ["x-named", "keep-alive", "proxy-authenticate"] {
        assert!(!reply.has(gone), "{gone}");
    }
    assert!(reply.has("x-stays"));
}

#[tokio::test]
async fn a_request_that_comes_back_ends() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let site = Site::at(address, &format!("listen = '{address}'")).await;
    assert_eq!(site.get("/").await.status, 508);
}

#[tokio::test]
async fn connections_to_the_origin_are_used_again() {
    let origin = plain().await;
    let site = Site::new(&origin, "").await;
    for number in 0..10 {
        assert_eq!(site.get(&format!("/{number}")).await.status, 200);
    }
    assert_eq!((origin.count(), origin.connections()), (10, 1));
}

/// An origin of one connection, driven by the test. Reads a head before it is handed out.
async fn raw_origin() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

async fn accept(listener: &TcpListener) -> (TcpStream, String) {
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let head = read_until(&mut stream, "\r\n\r\n").await;
    (stream, head)
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let (listener, address) = raw_origin().await;
    let site = Site::at(address, "").await;
    let mut client = open(site.address).await;
    let head = b"POST / HTTP/1.1\r\nhost: site\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n";
    client.write_all(head).await.expect("sent");
    let (mut origin, head) = accept(&listener).await;
    // Before the request has ended, its first chunk is there, and the answer may begin.
    if !head.contains("one") {
        read_until(&mut origin, "one").await;
    }
    let begun = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n";
    origin.write_all(begun).await.expect("sent");
    read_until(&mut client, "first").await;
    client
        .write_all(b"3\r\ntwo\r\n0\r\n\r\n")
        .await
        .expect("sent");
    read_until(&mut origin, "0\r\n\r\n").await;
    origin
        .write_all(b"6\r\nsecond\r\n0\r\n\r\n")
        .await
        .expect("sent");
    read_until(&mut client, "second").await;
}

#[tokio::test]
async fn a_websocket_passes_through_a_route_that_is_cached() {
    let (listener, address) = raw_origin().await;
    let site = Site::at(address, "").await;
    let mut client = open(site.address).await;
    let asks =
        b"GET /ws HTTP/1.1\r\nhost: site\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
    client.write_all(asks).await.expect("sent");
    let (mut origin, head) = accept(&listener).await;
    assert!(head.contains("upgrade: websocket"), "{head}");
    let switches =
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    origin.write_all(switches).await.expect("sent");
    let answer = read_until(&mut client, "\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 101") && answer.contains("upgrade: websocket"),
        "{answer}"
    );
    client.write_all(b"ping").await.expect("sent");
    read_until(&mut origin, "ping").await;
    origin.write_all(b"pong").await.expect("sent");
    read_until(&mut client, "pong").await;
    drop(client);
    assert_eq!(read_to_end(&mut origin).await, "");
}

#[tokio::test]
async fn an_upgrade_that_nobody_asked_for_is_an_error() {
    let (listener, address) = raw_origin().await;
    let site = Site::at(address, "").await;
    let asking = tokio::spawn(async move { site.get("/").await });
    let (mut origin, _) = accept(&listener).await;
    let switches = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    origin.write_all(switches).await.expect("sent");
    assert_eq!(asking.await.expect("answered").status, 502);
}

#[tokio::test]
async fn interim_responses_are_neither_stored_nor_taken_for_the_answer() {
    let (listener, address) = raw_origin().await;
    let site = Site::at(address, "").await;
    let asking = tokio::spawn(async move { (site.get("/").await, site.get("/").await) });
    let (mut origin, _) = accept(&listener).await;
    let answers = b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n\
        HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 4\r\n\r\npage";
    origin.write_all(answers).await.expect("sent");
    let (miss, hit) = asking.await.expect("answered");
    assert_eq!((miss.status, miss.body.as_str()), (200, "page"));
    assert!(
        hit.is_hit() && hit.body == "page" && !hit.has("link"),
        "{hit:?}"
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_whole_for_the_client_and_not_stored() {
    let (listener, address) = raw_origin().await;
    let site = Site::at(address, "").await;
    let asking = tokio::spawn(async move {
        let broken = exchange(site.address, b"GET / HTTP/1.1\r\nhost: site\r\n\r\n").await;
        (broken, site.get("/").await)
    });
    for body in ["4\r\nhalf\r\n", "4\r\nfull\r\n0\r\n\r\n"] {
        let (mut origin, _) = accept(&listener).await;
        let head =
            "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ntransfer-encoding: chunked\r\n\r\n";
        origin
            .write_all(format!("{head}{body}").as_bytes())
            .await
            .expect("sent");
        drop(origin);
    }
    let (broken, whole) = asking.await.expect("answered");
    assert!(
        broken.contains("half") && !broken.ends_with("0\r\n\r\n"),
        "{broken}"
    );
    assert!(whole.body.contains("full") && !whole.is_hit(), "{whole:?}");
}

#[tokio::test]
async fn an_answer_that_is_none_is_the_origins_fault_and_not_stored() {
    let (listener, address) = raw_origin().await;
    let site = Site::at(address, "").await;
    let many: String = (0..200)
        .map(|number| format!("x-{number}: 1\r\n"))
        .collect();
    let answers = [
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n".to_owned(),
        "HTTP/1.1 2000 OK\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
        "not HTTP at all\r\n\r\n".to_owned(),
        String::new(),
    ];
    let count = answers.len();
    let serving = tokio::spawn(async move {
        for answer in answers {
            let (mut origin, _) = accept(&listener).await;
            origin.write_all(answer.as_bytes()).await.expect("sent");
        }
    });
    for number in 0..count {
        let reply = site.get("/").await;
        assert_eq!(
            (reply.status, reply.is_hit()),
            (502, false),
            "{number}: {reply:?}"
        );
    }
    serving.await.expect("all were asked for");
}

#[tokio::test]
async fn who_does_not_answer_in_time_is_not_waited_for() {
    let (listener, address) = raw_origin().await;
    let config = "timeouts = { response = '50ms', body = '50ms', head = '200ms' }";
    let site = Site::at(address, config).await;
    assert_eq!(site.get("/").await.status, 504);
    // A body that is promised and does not come.
    let asks = b"POST / HTTP/1.1\r\nhost: site\r\ncontent-length: 5\r\nconnection: close\r\n\r\na";
    let answering = tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                return;
            };
            tokio::spawn(async move {
                let mut stream = stream;
                read_to_end(&mut stream).await
            });
        }
    });
    let late = Reply::parse(&exchange(site.address, asks).await);
    assert!(matches!(late.status, 408 | 504), "{late:?}");
    // Half a head, and half a preface of HTTP/2.
    for half in ["GET / HTTP/1.1\r\nhost: si", "PRI * HT"] {
        let mut client = open(site.address).await;
        client.write_all(half.as_bytes()).await.expect("sent");
        let mut buffer = [0; 64];
        let read = timeout(SOON, async {
            while client.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
        });
        read.await.expect("the connection is closed");
    }
    answering.abort();
}

#[tokio::test]
async fn a_body_over_the_bound_is_refused_however_it_is_sent() {
    let origin = plain().await;
    let site = Site::new(&origin, "bounds = { body = 3 }").await;
    let head = "POST / HTTP/1.1\r\nhost: site\r\nconnection: close\r\n";
    for (framed, status) in [
        ("content-length: 3\r\n\r\nabc", 200),
        ("content-length: 4\r\n\r\nabcd", 413),
        (
            "transfer-encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
            413,
        ),
    ] {
        let reply =
            Reply::parse(&exchange(site.address, format!("{head}{framed}").as_bytes()).await);
        assert_eq!(reply.status, status, "{framed:?}");
    }
}

#[tokio::test]
async fn http_2_is_spoken_on_both_sides_and_shares_what_is_kept() {
    let origin = Origin::start(|_| respond(200, &[("cache-control", "max-age=60")], "page")).await;
    let site = Site::new(&origin, "pool = { protocol = 'h2c' }").await;
    let (status, body) = http_2(&site, "http://site/a").await;
    assert_eq!((status, body.as_str()), (200, "page"));
    let asked = origin.last();
    assert_eq!(asked.version, Version::HTTP_2);
    assert_eq!(
        asked.uri.authority().map(http::uri::Authority::as_str),
        Some("site")
    );
    assert!(site.get("/a").await.is_hit());
    let (status, _) = http_2(&site, "http://site/a/../b").await;
    assert_eq!((status, origin.count()), (400, 1));
}

/// GET in HTTP/2, known beforehand, with a cookie in two crumbs.
async fn http_2(site: &Site, uri: &str) -> (u16, String) {
    use http_body_util::{BodyExt, Empty};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let io = TokioIo::new(open(site.address).await);
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await;
    let (mut sender, connection) = handshake.expect("HTTP/2");
    tokio::spawn(connection);
    let request = http::Request::get(uri).body(Empty::<bytes::Bytes>::new());
    let response = sender
        .send_request(request.expect("a request"))
        .await
        .expect("an answer");
    let status = response.status().as_u16();
    let body = response
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn cookies_in_crumbs_are_one_for_the_origin() {
    use http_body_util::Empty;
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let origin = plain().await;
    let site = Site::new(&origin, "").await;
    let io = TokioIo::new(open(site.address).await);
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await;
    let (mut sender, connection) = handshake.expect("HTTP/2");
    tokio::spawn(connection);
    let request = http::Request::get("http://site/")
        .header("cookie", "a=b")
        .header("cookie", "c=d")
        .body(Empty::<bytes::Bytes>::new())
        .expect("a request");
    sender.send_request(request).await.expect("an answer");
    let asked = origin.last().headers;
    assert_eq!(asked["cookie"], "a=b; c=d");
    assert!(asked["via"].as_bytes().starts_with(b"2.0 tower-keep-"));
}

#[tokio::test]
async fn what_is_under_way_is_finished_before_it_stops() {
    let (listener, address) = raw_origin().await;
    let mut site = Site::at(address, "").await;
    let gateway = site.address;
    let asking = tokio::spawn(async move { ask(gateway, "GET /", &[]).await });
    let (mut origin, _) = accept(&listener).await;
    let running = site.stop();
    eventually(SOON, async || TcpStream::connect(gateway).await.is_err()).await;
    assert!(!running.is_finished());
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate";
    origin.write_all(answer).await.expect("sent");
    assert_eq!(asking.await.expect("answered").body, "late");
    let ended = timeout(SOON, running).await;
    ended.expect("in time").expect("ended well");
}

#[tokio::test]
async fn who_takes_too_long_is_not_waited_for_when_it_stops() {
    let (listener, address) = raw_origin().await;
    let mut site = Site::at(address, "timeouts = { shutdown = '50ms' }").await;
    let gateway = site.address;
    let _asking = tokio::spawn(async move { ask(gateway, "GET /", &[]).await });
    let _never_answers = accept(&listener).await;
    let ended = timeout(Duration::from_secs(5), site.stop()).await;
    ended.expect("in time").expect("ended well");
}

#[tokio::test]
async fn what_the_cache_refreshes_is_finished_before_it_stops() {
    let (listener, address) = raw_origin().await;
    let mut site = Site::at(address, "").await;
    let gateway = site.address;
    let asking = tokio::spawn(async move { ask(gateway, "GET /", &[]).await });
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\
        cache-control: max-age=1, stale-while-revalidate=600\r\n\r\nonce";
    let (mut origin, _) = accept(&listener).await;
    origin.write_all(answer).await.expect("sent");
    drop(origin);
    assert_eq!(asking.await.expect("answered").body, "once");
    let is_stale = async || {
        let reply = ask(gateway, "GET /", &[]).await;
        reply.field("cache-status").ends_with("ttl=-1")
    };
    eventually(SOON, is_stale).await;
    let (mut origin, _) = accept(&listener).await;
    let running = site.stop();
    eventually(SOON, async || TcpStream::connect(gateway).await.is_err()).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!running.is_finished());
    origin.write_all(answer).await.expect("sent");
    let ended = timeout(SOON, running).await;
    ended.expect("in time").expect("ended well");
}
