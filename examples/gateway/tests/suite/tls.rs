//! Origins that are spoken to over TLS.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use http::Version;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower_keep_test_support::{Authority, eventually};

use crate::common::{
    Listening, Origin, Reply, SOON, Site, Trusted, acceptor, ask, exchange, open, read_until,
    respond,
};

async fn origin(tls: TlsAcceptor) -> Origin {
    let how = Listening {
        tls: Some(tls),
        ..Listening::default()
    };
    plain(how).await
}

async fn plain(how: Listening) -> Origin {
    Origin::listen(how, |asked| respond(200, &[], asked.uri.path())).await
}

#[tokio::test]
async fn an_origin_with_a_certificate_of_a_trusted_authority_is_spoken_to_over_tls() {
    let trusted = Trusted::new();
    let origin = origin(trusted.server(&["http/1.1"])).await;
    let site = Site::secure(origin.address, &trusted.pool("")).await;
    for number in 0..10 {
        let path = format!("/{number}");
        let reply = site.get(&path).await;
        assert_eq!((reply.status, reply.body), (200, path));
    }
    let asked = origin.last();
    assert_eq!(asked.version, Version::HTTP_11);
    assert_eq!(asked.headers["host"], "site");
    assert_eq!(asked.headers["x-forwarded-proto"], "http");
    // The first of them only asked which protocol it is.
    assert_eq!((origin.count(), origin.connections()), (10, 2));
}

#[tokio::test]
async fn http_2_is_spoken_if_the_origin_takes_it_for_all_hosts_on_one_connection() {
    let trusted = Trusted::new();
    let origin = origin(trusted.server(&["h2", "http/1.1"])).await;
    let site = Site::secure(origin.address, &trusted.pool("")).await;
    for host in ["a.example", "b.example:81"] {
        let line = format!("GET http://{host}/{host}");
        assert_eq!(ask(site.address, &line, &[]).await.status, 200);
        let asked = origin.last();
        assert_eq!(asked.version, Version::HTTP_2);
        assert_eq!(asked.uri, format!("https://{host}/{host}").as_str());
        assert!(!asked.headers.contains_key("host"));
    }
    assert_eq!(origin.connections(), 1);
    let own = Site::secure(origin.address, &trusted.pool(", keep_host = false")).await;
    own.get("/").await;
    let authority = origin.last().uri.authority().cloned();
    let authority = authority.expect("it has one");
    assert_eq!(authority.as_str(), origin.address.to_string());
}

#[tokio::test]
async fn http_1_1_is_spoken_if_nothing_else_is_wanted_or_agreed_on() {
    let trusted = Trusted::new();
    for (protocols, more) in [
        (&["h2", "http/1.1"][..], ", protocol = 'http1'"),
        (&[], ", protocol = 'http1'"),
        (&[], ""),
    ] {
        let origin = origin(trusted.server(protocols)).await;
        let site = Site::secure(origin.address, &trusted.pool(more)).await;
        assert_eq!(site.get("/").await.status, 200);
        let version = origin.last().version;
        assert_eq!(version, Version::HTTP_11, "{protocols:?}{more}");
    }
}

#[tokio::test]
async fn who_cannot_show_who_it_is_is_asked_nothing_and_clients_do_not_hear_why() {
    let (trusted, stranger) = (Trusted::new(), Authority::new());
    let good = &trusted.authority;
    for (why, certificate) in [
        ("an unknown authority", stranger.certificate(&["127.0.0.1"])),
        ("a wrong name", good.certificate(&["other.example"])),
        ("out of date", good.expired(&["127.0.0.1"])),
    ] {
        for protocol in ["auto", "http1"] {
            let origin = origin(acceptor(&certificate, &["h2", "http/1.1"])).await;
            let config = trusted.pool(&format!(", protocol = '{protocol}'"));
            let site = Site::secure(origin.address, &config).await;
            let reply = site.get("/").await;
            assert_eq!((reply.status, origin.count()), (502, 0), "{why}");
            let said = "the origin cannot be reached";
            assert!(reply.body.contains(said), "{why}: {reply:?}");
            for detail in ["ertificate", "127.0.0.1", "example"] {
                assert!(!reply.body.contains(detail), "{why}: {reply:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_certificate_is_for_the_name_in_the_origins_url() {
    let trusted = Trusted::new();
    let certificate = trusted.authority.certificate(&["localhost"]);
    let origin = origin(acceptor(&certificate, &["http/1.1"])).await;
    let port = origin.address.port();
    let site = Site::before(format!("https://localhost:{port}"), &trusted.pool("")).await;
    assert_eq!(site.get("/").await.status, 200);
    let site = Site::secure(origin.address, &trusted.pool("")).await;
    assert_eq!(site.get("/").await.status, 502);
}

#[tokio::test]
async fn a_server_without_tls_is_an_origin_that_cannot_be_reached() {
    let trusted = Trusted::new();
    let origin = plain(Listening::default()).await;
    let site = Site::secure(origin.address, &trusted.pool("")).await;
    assert_eq!(site.get("/").await.status, 502);
    assert_eq!(origin.count(), 0);
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_not_waited_for() {
    let trusted = Trusted::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    for protocol in ["auto", "http1"] {
        let pool = trusted.pool(&format!(", protocol = '{protocol}'"));
        let config = format!("{pool}\ntimeouts = {{ connect = '50ms' }}");
        let site = Site::secure(address, &config).await;
        let reply = timeout(SOON, site.get("/")).await.expect("in time");
        assert_eq!(reply.status, 504, "{protocol}");
    }
}

#[tokio::test]
async fn requests_beyond_what_a_connection_takes_get_another() {
    let trusted = Trusted::new();
    let how = Listening {
        tls: Some(trusted.server(&["h2"])),
        streams: Some(2),
        ..Listening::default()
    };
    let origin = plain(how).await;
    let config = format!("workers = 1\n{}", trusted.pool(""));
    let site = Site::secure(origin.address, &config).await;
    // Once there, it says how many it takes.
    assert_eq!(site.get("/first").await.status, 200);
    origin.hold(true);
    let mut asking = Vec::new();
    for number in 0..7 {
        let address = site.address;
        asking.push(tokio::spawn(async move {
            ask(address, &format!("GET /{number}"), &[]).await
        }));
        eventually(SOON, async || origin.count() == number + 2).await;
    }
    assert!(origin.connections() >= 4, "{}", origin.connections());
    origin.hold(false);
    for reply in asking {
        assert_eq!(reply.await.expect("answered").status, 200);
    }
    // What is free again is used again.
    let connections = origin.connections();
    for number in 0..20 {
        assert_eq!(site.get(&format!("/again/{number}")).await.status, 200);
    }
    assert_eq!(origin.connections(), connections);
}

#[tokio::test]
async fn a_connection_on_which_nothing_comes_in_time_is_not_used_again() {
    let trusted = Trusted::new();
    let origin = origin(trusted.server(&["h2"])).await;
    let pool = trusted.pool("");
    let config = format!("timeouts = {{ response = '1s' }}\n{pool}");
    let site = Site::secure(origin.address, &config).await;
    origin.hold(true);
    assert_eq!(site.get("/late").await.status, 504);
    origin.hold(false);
    assert_eq!(site.get("/").await.status, 200);
    assert_eq!(origin.connections(), 2);
}

/// Refuses the first request on a connection in HTTP/2, with this frame.
async fn refuse(listener: &TcpListener, frame: &[u8]) {
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    stream.write_all(&settings).await.expect("sent");
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.expect("HTTP/2");
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.expect("a frame");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut content = vec![0; length as usize];
        stream.read_exact(&mut content).await.expect("its content");
        if head[3] == HEADERS {
            break;
        }
    }
    stream.write_all(frame).await.expect("sent");
    // Until the gateway has left.
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

const HEADERS: u8 = 1;

#[tokio::test]
async fn what_the_origin_did_not_look_at_is_asked_again_on_another_connection() {
    let good_bye = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let refused = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7];
    for (frame, method, status) in [
        (&good_bye[..], "GET", 200),
        (&refused, "GET", 200),
        (&good_bye, "POST", 200),
        (&refused, "POST", 200),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let site = Site::at(address, "pool = { protocol = 'h2c' }").await;
        let gateway = site.address;
        let asking = tokio::spawn(async move {
            let asks = format!(
                "{method} / HTTP/1.1\r\nhost: site\r\nconnection: close\r\ncontent-length: 4\r\n\r\nbody"
            );
            let answer = exchange(gateway, asks.as_bytes()).await;
            Reply::parse(&answer).status
        });
        refuse(&listener, frame).await;
        let how = Listening {
            on: Some(listener),
            ..Listening::default()
        };
        let origin = plain(how).await;
        assert_eq!(
            asking.await.expect("answered"),
            status,
            "{frame:?} {method}"
        );
        assert_eq!((origin.count(), &origin.last().body[..]), (1, &b"body"[..]));
    }
}

#[tokio::test]
async fn clients_that_read_slowly_do_not_hold_up_the_others_on_a_connection() {
    let large = bytes::Bytes::from(vec![b'x'; 32 << 20]);
    let origin = Origin::start(move |asked| {
        let mut response = respond(200, &[("cache-control", "no-store")], "small");
        if asked.uri.path() == "/large" {
            *response.body_mut() = large.clone().into();
        }
        response
    })
    .await;
    let site = Site::new(&origin, "pool = { protocol = 'h2c' }").await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut client = open(site.address).await;
        let asks = b"GET /large HTTP/1.1\r\nhost: site\r\n\r\n";
        client.write_all(asks).await.expect("sent");
        read_until(&mut client, "\r\n\r\n").await;
        slow.push(client);
    }
    // Until every buffer on the way is full, and a little longer.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        let reply = timeout(SOON, site.get("/small")).await;
        assert_eq!(reply.expect("in time").body, "small");
    }
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn an_origin_that_speaks_something_else_after_a_restart_is_asked_anew() {
    let trusted = Trusted::new();
    let start = async |address: &str, protocols: &[&str]| {
        let listener = TcpListener::bind(address).await;
        let how = Listening {
            on: Some(listener.expect("a port")),
            tls: Some(trusted.server(protocols)),
            ..Listening::default()
        };
        plain(how).await
    };
    let mut origin = start("127.0.0.1:0", &["h2"]).await;
    let address = origin.address;
    let site = Site::secure(address, &trusted.pool("")).await;
    for (number, protocols) in ["h2", "http/1.1", "h2", "h2", "http/1.1"]
        .iter()
        .enumerate()
    {
        if number > 0 {
            drop(origin);
            eventually(SOON, async || TcpStream::connect(address).await.is_err()).await;
            // Who asks now learns that it is gone.
            assert_eq!(site.get("/gone").await.status, 502);
            origin = start(&address.to_string(), &[protocols]).await;
        }
        let is_h2 = *protocols == "h2";
        assert_eq!(site.get(&format!("/{number}")).await.status, 200);
        assert_eq!(origin.last().version == Version::HTTP_2, is_h2, "{number}");
    }
}

#[tokio::test]
async fn a_websocket_passes_through_although_the_origin_prefers_http_2() {
    let trusted = Trusted::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address: SocketAddr = listener.local_addr().expect("an address");
    let site = Site::secure(address, &trusted.pool("")).await;
    let mut client = open(site.address).await;
    let asks =
        b"GET /ws HTTP/1.1\r\nhost: site\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
    client.write_all(asks).await.expect("sent");
    let (stream, _) = listener.accept().await.expect("a connection");
    let tls = trusted.server(&["h2", "http/1.1"]);
    let mut origin = tls.accept(stream).await.expect("a handshake");
    let agreed = origin.get_ref().1.alpn_protocol();
    assert_eq!(agreed, Some(&b"http/1.1"[..]));
    let head = read_until(&mut origin, "\r\n\r\n").await;
    assert!(head.contains("upgrade: websocket"), "{head}");
    let switches =
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    origin.write_all(switches).await.expect("sent");
    let answer = read_until(&mut client, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    client.write_all(b"ping").await.expect("sent");
    read_until(&mut origin, "ping").await;
    origin.write_all(b"pong").await.expect("sent");
    read_until(&mut client, "pong").await;
    drop(client);
    let mut rest = Vec::new();
    let ended = timeout(SOON, origin.read_to_end(&mut rest)).await;
    ended.expect("in time").expect("a proper end");
    assert!(rest.is_empty());
}
