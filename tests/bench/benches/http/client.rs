//! A client that does as little as it can: what it costs, both sides of a comparison pay, and pull
//! the ratio towards 1.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower_keep_bench::BODY_BYTES;

/// How many requests are answered in `time` when `clients` ask, each for its own path.
pub(crate) async fn requests_in(time: Duration, server: SocketAddr, clients: usize) -> u64 {
    let mut connections = Vec::new();
    for client in 0..clients {
        connections.push(Connection::open(server, client).await);
    }
    let end = Instant::now() + time;
    let running: Vec<_> = connections
        .into_iter()
        .map(|connection| tokio::spawn(connection.ask_until(end)))
        .collect();
    let mut count = 0;
    for connection in running {
        count += connection.await.expect("a client that does not panic");
    }
    count
}

/// Asks once; the head of the answer must say `expected`.
pub(crate) async fn check(server: SocketAddr, client: usize, expected: &str) {
    let mut connection = Connection::open(server, client).await;
    let length = connection.ask().await;
    let head = String::from_utf8_lossy(&connection.buffer[..length - BODY_BYTES]);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains(expected), "{expected:?} is not in {head}");
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(server: SocketAddr, client: usize) -> Self {
        let stream = TcpStream::connect(server).await.expect("a server");
        stream.set_nodelay(true).expect("a live socket");
        let request = format!(
            "GET /items/{client} HTTP/1.1\r\nhost: api.example.com\r\n\
             user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0)\r\n\
             accept: application/json\r\naccept-encoding: gzip, br\r\n\r\n"
        );
        Self {
            stream,
            request: request.into_bytes(),
            buffer: vec![0; 4 * BODY_BYTES],
        }
    }

    async fn ask_until(mut self, end: Instant) -> u64 {
        let mut count = 0;
        while Instant::now() < end {
            self.ask().await;
            count += 1;
        }
        count
    }

    /// Sends the request and reads the whole answer; returns its length.
    async fn ask(&mut self) -> usize {
        let sent = self.stream.write_all(&self.request).await;
        sent.expect("a server that listens");
        let mut length = 0;
        while !is_whole(&self.buffer[..length]) {
            let read = self.stream.read(&mut self.buffer[length..]).await;
            length += match read.expect("an answer") {
                0 => panic!("the answer ends in the middle, or is longer than expected"),
                read => read,
            };
        }
        length
    }
}

/// Every body has the same length and no empty line in it: found so, the end costs no parsing.
fn is_whole(answer: &[u8]) -> bool {
    answer
        .len()
        .checked_sub(BODY_BYTES)
        .is_some_and(|head| answer[..head].ends_with(b"\r\n\r\n"))
}
