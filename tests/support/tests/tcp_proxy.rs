//! What a test can rely on in `TcpProxy`, shown on an echo server.

#![allow(clippy::unwrap_used)]

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};
use tower_keep_test_support::{Direction, TcpProxy, eventually};

const BOUND: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(50);

async fn echo() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (mut reads, mut writes) = stream.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut reads, &mut writes).await });
        }
    });
    address
}

async fn say(stream: &mut TcpStream, words: &str) -> String {
    stream.write_all(words.as_bytes()).await.unwrap();
    hear(stream, words.len()).await
}

async fn hear(stream: &mut TcpStream, length: usize) -> String {
    let mut heard = vec![0; length];
    let read = timeout(BOUND, stream.read_exact(&mut heard)).await;
    read.expect("an answer comes in time")
        .expect("the connection is open");
    String::from_utf8(heard).unwrap()
}

async fn connected(proxy: &TcpProxy) -> TcpStream {
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(say(&mut stream, "hello").await, "hello");
    stream
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    let read = timeout(BOUND, stream.read(&mut [0; 1])).await;
    matches!(read.expect("the end comes in time"), Ok(0) | Err(_))
}

#[tokio::test]
async fn cut_closes_what_is_open_and_serves_what_is_new() {
    let proxy = TcpProxy::start(echo().await).await;
    let mut stream = connected(&proxy).await;
    proxy.cut().await;
    assert!(is_closed(&mut stream).await);
    connected(&proxy).await;
}

#[tokio::test]
async fn hang_holds_everything_until_resumed() {
    let proxy = TcpProxy::start(echo().await).await;
    let mut old = connected(&proxy).await;
    proxy.hang().await;
    old.write_all(b"held").await.unwrap();
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    new.write_all(b"too").await.unwrap();
    timeout(SHORT, old.read(&mut [0; 1]))
        .await
        .expect_err("nothing passes, nothing closes");
    proxy.resume().await;
    assert_eq!(hear(&mut old, 4).await, "held");
    assert_eq!(hear(&mut new, 3).await, "too");
}

#[tokio::test]
async fn a_hanging_connection_can_be_cut() {
    let proxy = TcpProxy::start(echo().await).await;
    let mut stream = connected(&proxy).await;
    proxy.hang().await;
    proxy.cut().await;
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn refuse_refuses_until_resumed_on_the_same_port() {
    let proxy = TcpProxy::start(echo().await).await;
    let mut stream = connected(&proxy).await;
    proxy.refuse().await;
    assert!(is_closed(&mut stream).await);
    TcpStream::connect(proxy.address()).await.unwrap_err();
    proxy.resume().await;
    connected(&proxy).await;
}

#[tokio::test]
async fn the_cut_falls_on_the_byte_it_was_ordered_for() {
    let proxy = TcpProxy::start(echo().await).await;
    for direction in [Direction::ToClient, Direction::ToServer] {
        let mut stream = connected(&proxy).await;
        proxy.cut_after(direction, 4);
        stream.write_all(b"abcdef").await.unwrap();
        if direction == Direction::ToClient {
            assert_eq!(hear(&mut stream, 4).await, "abcd");
        }
        assert!(is_closed(&mut stream).await);
    }
    connected(&proxy).await;
}

#[tokio::test]
async fn latency_is_added_in_each_direction() {
    let builder = TcpProxy::builder(echo().await).latency(Duration::from_millis(20));
    let proxy = builder.start().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let start = Instant::now();
    assert_eq!(say(&mut stream, "slow").await, "slow");
    assert!(start.elapsed() >= Duration::from_millis(40));
}

#[tokio::test]
async fn an_end_of_one_direction_is_passed_on() {
    let proxy = TcpProxy::start(echo().await).await;
    let mut stream = connected(&proxy).await;
    stream.write_all(b"last").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(hear(&mut stream, 4).await, "last");
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn a_dropped_proxy_closes_everything() {
    let proxy = TcpProxy::start(echo().await).await;
    let address = proxy.address();
    let mut stream = connected(&proxy).await;
    drop(proxy);
    assert!(is_closed(&mut stream).await);
    eventually(BOUND, || async {
        TcpStream::connect(address).await.is_err()
    })
    .await;
}

#[tokio::test]
async fn a_dead_upstream_is_a_closed_connection() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let proxy = TcpProxy::start(address).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(is_closed(&mut stream).await);
}
