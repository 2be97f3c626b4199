//! What a test can rely on in `RedisServer`, shown on real processes.

#![allow(clippy::unwrap_used)]

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tower_keep_test_support::{RedisServer, Reply, eventually};

fn ok() -> Reply {
    Reply::Status("OK".to_owned())
}

fn ping(stream: &mut (impl Read + Write)) -> std::io::Result<[u8; 7]> {
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn connect(server: &RedisServer) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    stream
}

#[test]
fn a_started_server_answers_on_its_port_at_once() {
    let server = RedisServer::start();
    assert_eq!(server.url(), format!("redis://127.0.0.1:{}", server.port()));
    assert_eq!(&ping(&mut connect(&server)).unwrap(), b"+PONG\r\n");
}

#[test]
fn servers_do_not_share_anything() {
    let (one, other) = (RedisServer::start(), RedisServer::start());
    assert_ne!(one.port(), other.port());
    assert_eq!(one.command(&["SET", "k", "v"]), ok());
    assert_eq!(other.command(&["GET", "k"]), Reply::Bulk(None));
}

#[test]
fn a_dropped_server_leaves_neither_port_nor_directory() {
    let server = RedisServer::start();
    let (port, directory) = (server.port(), server.directory().to_owned());
    assert!(directory.exists());
    drop(server);
    TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    assert!(!directory.exists());
}

#[test]
fn a_killed_server_is_gone_and_comes_back_empty_on_the_same_port() {
    let mut server = RedisServer::start();
    let port = server.port();
    assert_eq!(server.command(&["SET", "k", "v"]), ok());
    server.kill();
    server.try_command(&["PING"]).unwrap_err();
    TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    server.restart();
    assert_eq!(server.port(), port);
    assert_eq!(server.command(&["GET", "k"]), Reply::Bulk(None));
}

#[test]
fn a_running_server_can_be_restarted() {
    let mut server = RedisServer::start();
    let before = server.process_id();
    server.restart();
    assert_ne!(server.process_id(), before);
    assert_eq!(server.command(&["PING"]), Reply::Status("PONG".to_owned()));
}

#[test]
fn a_paused_server_accepts_but_does_not_answer_until_resumed() {
    let mut server = RedisServer::start();
    let mut stream = connect(&server);
    server.pause();
    ping(&mut stream).unwrap_err();
    server.resume();
    let mut answer = [0; 7];
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
}

#[test]
fn a_paused_server_can_be_dropped() {
    let mut server = RedisServer::start();
    let port = server.port();
    server.pause();
    drop(server);
    TcpStream::connect(("127.0.0.1", port)).unwrap_err();
}

#[test]
fn commands_are_counted_by_name() {
    let server = RedisServer::start();
    for _ in 0..3 {
        assert_eq!(server.command(&["SET", "k", "v"]), ok());
    }
    assert_eq!(server.command_stats()["set"], 3);
    server.reset_stats();
    assert_eq!(server.command_stats().get("set"), None);
}

#[test]
fn arguments_come_after_the_defaults() {
    let server = RedisServer::builder()
        .arg("--maxmemory")
        .args(["7mb", "--databases", "2"])
        .start();
    let reply = server.command(&["CONFIG", "GET", "maxmemory"]);
    let expected = ["maxmemory", "7340032"].map(|text| Reply::Bulk(Some(text.into())));
    assert_eq!(reply, Reply::Array(Some(expected.into())));
    let reply = server.command(&["SELECT", "2"]);
    assert!(matches!(reply, Reply::Error(text) if text.contains("out of range")));
}

#[test]
#[should_panic(expected = "redis-server did not start")]
fn arguments_that_redis_refuses_are_reported_with_its_words() {
    let _ = RedisServer::builder()
        .args(["--maxmemory", "nonsense"])
        .start();
}

#[test]
fn a_server_behind_a_password_starts_too() {
    let server = RedisServer::builder()
        .args(["--requirepass", "secret"])
        .start();
    assert!(
        matches!(server.command(&["GET", "k"]), Reply::Error(text) if text.starts_with("NOAUTH"))
    );
}

#[test]
fn a_unix_socket_is_in_the_url() {
    let server = RedisServer::builder().unix_socket().start();
    let path = server.url().strip_prefix("unix://").unwrap().to_owned();
    let mut stream = std::os::unix::net::UnixStream::connect(path).unwrap();
    assert_eq!(&ping(&mut stream).unwrap(), b"+PONG\r\n");
}

#[test]
fn tls_is_spoken_with_a_certificate_of_the_servers_authority() {
    let server = RedisServer::builder().tls().start();
    assert_eq!(
        server.url(),
        format!("rediss://127.0.0.1:{}", server.port())
    );
    let mut roots = RootCertStore::empty();
    let authority = server.authority().unwrap().as_bytes();
    roots
        .add(CertificateDer::from_pem_slice(authority).unwrap())
        .unwrap();
    for name in ["127.0.0.1", "localhost"] {
        let mut stream = tls_stream(&server, roots.clone(), name);
        assert_eq!(&ping(&mut stream).unwrap(), b"+PONG\r\n");
    }
    let mut stranger = tls_stream(&server, RootCertStore::empty(), "localhost");
    ping(&mut stranger).unwrap_err();
}

fn tls_stream(
    server: &RedisServer,
    roots: RootCertStore,
    name: &'static str,
) -> StreamOwned<ClientConnection, TcpStream> {
    let provider = rustls::crypto::ring::default_provider();
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name).unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = connect(server);
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    StreamOwned::new(client, stream)
}

#[tokio::test]
async fn the_counters_can_be_awaited() {
    let server = RedisServer::start();
    let mut stream = connect(&server);
    ping(&mut stream).unwrap();
    eventually(Duration::from_secs(5), || async {
        server
            .command_stats()
            .get("ping")
            .is_some_and(|calls| *calls >= 2)
    })
    .await;
}
