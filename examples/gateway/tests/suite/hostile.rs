//! What goes wrong between clients and the origin, and whom it concerns.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tower_keep_test_support::eventually;

use crate::common::{Origin, Reply, SOON, Site, Trusted, ask, exchange, open, read_until, respond};

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_the_clients_in_every_protocol() {
    for protocol in ["auto", "h2c"] {
        let origin = Origin::start(|_| respond(200, &[], "ok")).await;
        let config = format!(
            "bounds = {{ body = 3 }}\npool = {{ protocol = '{protocol}' }}\ntimeouts = {{ body = '200ms' }}"
        );
        let site = Site::new(&origin, &config).await;
        let head = "POST / HTTP/1.1\r\nhost: site\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        for (body, status) in [
            ("3\r\nabc\r\n0\r\n\r\n", 200),
            ("4\r\nabcd\r\n0\r\n\r\n", 413),
            ("3\r\nabc\r\nnone\r\n", 400),
            ("1\r\na\r\n", 408),
        ] {
            let asks = format!("{head}{body}");
            let reply = Reply::parse(&exchange(site.address, asks.as_bytes()).await);
            assert_eq!(reply.status, status, "{protocol} {body:?}");
        }
    }
}

#[tokio::test]
async fn a_body_may_take_longer_than_the_origin_may_then() {
    for protocol in ["auto", "h2c"] {
        let origin = Origin::start(|asked| {
            let length = asked.body.len().to_string();
            respond(200, &[("x-length", &length)], "ok")
        })
        .await;
        let config =
            format!("timeouts = {{ response = '1s' }}\npool = {{ protocol = '{protocol}' }}");
        let site = Site::new(&origin, &config).await;
        let mut client = open(site.address).await;
        let head = b"POST / HTTP/1.1\r\nhost: site\r\ncontent-length: 6\r\n\r\n";
        client.write_all(head).await.expect("sent");
        for _ in 0..6 {
            sleep(Duration::from_millis(300)).await;
            client.write_all(b"a").await.expect("sent");
        }
        let answer = read_until(&mut client, "\r\n\r\n").await;
        assert!(answer.contains("x-length: 6"), "{protocol}: {answer}");
        // Who says nothing once all has come is not waited for.
        origin.hold(true);
        let late = ask(site.address, "POST /", &["content-length: 0"]).await;
        assert_eq!(late.status, 504, "{protocol}");
    }
}

#[tokio::test]
async fn a_silent_connection_is_given_up_although_nobody_waits_to_the_end() {
    let origin = Origin::start(|_| respond(200, &[], "ok")).await;
    let config = "
        pool = { protocol = 'h2c' }
        routes = [{ path = '/*', class = 'a' }]
        [classes.a]
        fresh_for = '1h'
        hard_timeout = '1200ms'
    ";
    let site = Site::new(&origin, config).await;
    origin.hold(true);
    assert_eq!(site.get("/late").await.status, 504);
    origin.hold(false);
    assert_eq!(site.get("/").await.status, 200);
    assert_eq!(origin.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_went_over_to_another_protocol_still_counts() {
    let (listener, address) = listen().await;
    let site = Site::at(address, "bounds = { connections = 1 }").await;
    let mut client = open(site.address).await;
    let asks =
        b"GET /ws HTTP/1.1\r\nhost: site\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
    client.write_all(asks).await.expect("sent");
    let (mut origin, _) = listener.accept().await.expect("a connection");
    read_until(&mut origin, "\r\n\r\n").await;
    let switches =
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    origin.write_all(switches).await.expect("sent");
    read_until(&mut client, "\r\n\r\n").await;
    client.write_all(b"ping").await.expect("sent");
    read_until(&mut origin, "ping").await;
    // There is no room for another.
    let mut other = open(site.address).await;
    let refused = b"GET / HTTP/1.1\r\n\r\n";
    other.write_all(refused).await.expect("sent");
    let early = timeout(Duration::from_millis(300), other.read(&mut [0; 64])).await;
    assert!(early.is_err(), "{early:?}");
    drop((client, origin));
    read_until(&mut other, "HTTP/1.1 400").await;
}

/// Answers once on each connection, and closes it when it is asked once more.
async fn answers_once(listener: TcpListener) {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            read_until(&mut stream, "\r\n\r\n").await;
            stream.write_all(answer).await.expect("sent");
            read_until(&mut stream, "\r\n\r\n").await;
        });
    }
}

#[tokio::test]
async fn what_came_when_an_idle_connection_was_closed_is_asked_again_if_it_may_be() {
    let (listener, address) = listen().await;
    let site = Site::at(address, "").await;
    tokio::spawn(answers_once(listener));
    assert_eq!(site.get("/1").await.status, 200);
    assert_eq!(site.get("/2").await.status, 200);
    // It might be done twice.
    let posted = ask(site.address, "POST /", &["content-length: 0"]).await;
    assert_eq!(posted.status, 502);
    // Nor is what breaks a new connection.
    let (listener, address) = listen().await;
    let site = Site::at(address, "").await;
    let asking = tokio::spawn(async move { site.get("/").await.status });
    let (mut stream, _) = listener.accept().await.expect("a connection");
    read_until(&mut stream, "\r\n\r\n").await;
    drop(stream);
    assert_eq!(asking.await.expect("answered"), 502);
}

#[tokio::test]
async fn one_that_breaks_off_does_not_make_all_find_out_what_the_origin_speaks() {
    let trusted = Trusted::new();
    let (listener, address) = listen().await;
    let tls = trusted.server(&["http/1.1"]);
    let site = Site::secure(address, &trusted.pool("")).await;
    let (told, mut connections) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            told.send(()).expect("the test goes on");
            let tls = tls.clone();
            tokio::spawn(async move {
                let mut stream = tls.accept(stream).await.expect("a handshake");
                let mut head = [0; 1024];
                while let Ok(count @ 1..) = stream.read(&mut head).await {
                    if head[..count].starts_with(b"GET /broken") {
                        return;
                    }
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                    stream.write_all(answer).await.expect("sent");
                }
            });
        }
    });
    let mut count = async || {
        let mut count = 0;
        while connections.try_recv().is_ok() {
            count += 1;
        }
        count
    };
    assert_eq!(
        ask(site.address, "POST /", &["content-length: 0"])
            .await
            .status,
        200
    );
    assert_eq!(count().await, 2);
    for _ in 0..3 {
        assert_eq!(ask(site.address, "GET /broken", &[]).await.status, 502);
        let _kept = count().await;
        assert_eq!(
            ask(site.address, "GET /fine", &["cache-control: no-cache"])
                .await
                .status,
            200
        );
        assert_eq!(count().await, 1);
    }
}

/// A server in HTTP/2 that answers the first request on each connection with these frames.
async fn frames(listener: TcpListener, frames: Vec<u8>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let frames = frames.clone();
        tokio::spawn(async move { answer(&mut stream, &frames).await });
    }
}

async fn answer(stream: &mut TcpStream, frames: &[u8]) -> std::io::Result<()> {
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await?;
    stream.read_exact(&mut [0; 24]).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        stream.read_exact(&mut vec![0; length as usize]).await?;
        if head[3] == 1 {
            break;
        }
    }
    stream.write_all(frames).await?;
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}

/// A frame on the first stream.
fn frame(kind: u8, flags: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("short").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
    frame.extend_from_slice(content);
    frame
}

/// A field that is not kept for later.
fn field(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).expect("short");
    let mut field = vec![0, length(name)];
    field.extend_from_slice(name.as_bytes());
    field.push(length(value));
    field.extend_from_slice(value.as_bytes());
    field
}

#[tokio::test]
async fn a_connection_in_http_2_is_closed_when_it_has_been_idle() {
    let (listener, address) = listen().await;
    let config = "pool = { protocol = 'h2c', idle_timeout = '100ms' }";
    let site = Site::at(address, config).await;
    let ok = [vec![0x88], field("content-length", "0")].concat();
    let asked = tokio::spawn(async move { (site.get("/").await.status, site) });
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let closed = timeout(SOON, answer(&mut stream, &frame(1, 5, &ok))).await;
    assert!(closed.is_ok(), "it is still open");
    let (status, _site) = asked.await.expect("answered");
    assert_eq!(status, 200);
}

#[tokio::test]
async fn odd_answers_in_http_2_are_answers_or_the_origins_fault() {
    let ok = [vec![0x88], field("content-length", "2")].concat();
    let not_modified = [field(":status", "304"), field("content-length", "2")].concat();
    let interim = frame(1, 4, &field(":status", "103"));
    let empty = [field(":status", "204")].concat();
    let large = field("x-a", &"x".repeat(100));
    let bomb: Vec<u8> = [frame(1, 0, &[0x88])]
        .into_iter()
        .chain((0..400).map(|_| frame(9, 0, &large.repeat(100))))
        .flatten()
        .collect();
    let crlf = [vec![0x88], field("x-a", "b\r\nc: d")].concat();
    let connection = [vec![0x88], field("connection", "x-a"), field("x-a", "b")].concat();
    for (why, method, frames_sent, expected) in [
        (
            "plain",
            "GET",
            [frame(1, 4, &ok), frame(0, 1, b"ok")].concat(),
            &[200][..],
        ),
        ("HEAD", "HEAD", frame(1, 5, &ok), &[200]),
        ("304", "GET", frame(1, 5, &not_modified), &[304]),
        (
            "204 with a body",
            "GET",
            [frame(1, 4, &empty), frame(0, 1, b"ok")].concat(),
            &[204, 502],
        ),
        (
            "1xx",
            "GET",
            [interim.repeat(5000), frame(1, 4, &ok), frame(0, 1, b"ok")].concat(),
            &[200, 502],
        ),
        ("CONTINUATION", "GET", bomb, &[502]),
        ("a line break", "GET", frame(1, 5, &crlf), &[502]),
        ("Connection", "GET", frame(1, 5, &connection), &[502, 200]),
        ("a promise", "GET", frame(5, 4, &[0, 0, 0, 2, 0x82]), &[502]),
        ("DATA first", "GET", frame(0, 1, b"ok"), &[502]),
        ("a reset", "GET", frame(3, 0, &[0, 0, 0, 8]), &[502]),
        (
            "another protocol",
            "GET",
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            &[502],
        ),
    ] {
        let (listener, address) = listen().await;
        let config = "pool = { protocol = 'h2c' }\ntimeouts = { response = '5s' }";
        let site = Site::at(address, config).await;
        let origin = tokio::spawn(frames(listener, frames_sent));
        let line = format!("{method} /");
        let reply = ask(site.address, &line, &["if-none-match: \"a\""]).await;
        assert!(expected.contains(&reply.status), "{why}: {reply:?}");
        assert!(!reply.has("x-a"), "{why}: {reply:?}");
        if reply.status == 502 {
            let said = ["the origin broke off", "the origin cannot be reached"];
            assert!(
                said.iter().any(|said| reply.body.contains(said)),
                "{why}: {reply:?}"
            );
        }
        origin.abort();
    }
}

#[tokio::test]
async fn what_is_under_way_on_every_thread_is_finished_before_it_stops() {
    let origin = Origin::start(|_| respond(200, &[], "ok")).await;
    let mut site = Site::new(&origin, "workers = 4").await;
    origin.hold(true);
    let asking: Vec<_> = (0..8)
        .map(|number| {
            let address = site.address;
            tokio::spawn(async move { ask(address, &format!("GET /{number}"), &[]).await })
        })
        .collect();
    eventually(SOON, async || origin.count() == 8).await;
    let stopped = site.stop();
    eventually(SOON, async || {
        TcpStream::connect(site.address).await.is_err()
    })
    .await;
    origin.hold(false);
    for asked in asking {
        assert_eq!(asked.await.expect("answered").status, 200);
    }
    stopped.await.expect("stopped");
}

/// A client that vanished sends nothing, and nothing is sent to it: only the system finds out, if it is told to ask.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn clients_are_asked_whether_they_are_still_there() {
    let origin = Origin::start(|_| respond(200, &[], "ok")).await;
    let site = Site::new(&origin, "").await;
    let client = open(site.address).await;
    let theirs = client.local_addr().expect("an address").port();
    let ends = [site.address.port(), theirs].map(|port| format!("0100007F:{port:04X}"));
    let is_asked = async || {
        let connections = std::fs::read_to_string("/proc/net/tcp").expect("readable");
        connections.lines().any(|line| {
            let columns: Vec<_> = line.split_whitespace().collect();
            // The sixth begins with the timer that is running: 02 is that of keepalive.
            columns.get(1..3) == Some(&[&*ends[0], &*ends[1]])
                && columns.get(5).is_some_and(|timer| timer.starts_with("02:"))
        })
    };
    eventually(SOON, is_asked).await;
}
