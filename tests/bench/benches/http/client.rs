//! A client that does as little as it can: what it costs, both sides of a comparison pay, and pull
//! the ratio towards 1.

use std::time::{Duration, Instant};

use memchr::memmem;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower_keep_bench::{BODY_BYTES, MERCHANT};

use crate::asked::{Asked, Who};

/// How many requests are answered in `time` when all clients ask, each for its own path.
pub(crate) async fn requests_in(time: Duration, asked: Asked) -> u64 {
    let mut connections = Vec::new();
    for client in 0..CLIENTS {
        connections.push(Connection::open(asked, client).await);
    }
    let end = Instant::now() + time;
    let running: Vec<_> = connections
        .into_iter()
        .map(|connection| tokio::spawn(connection.ask_until(end)))
        .collect();
    let (mut count, mut refused) = (0, 0);
    for connection in running {
        let counts = connection.await.expect("a client that does not panic");
        count += counts[0];
        refused += counts[1];
    }
    let is_expected = match asked.is_refused {
        // The first, and one now and then.
        true => count - refused <= 200 + count / 100,
        false => refused == 0,
    };
    assert!(is_expected, "{refused} of {count} requests were refused");
    count
}

/// Asks once; the head of the answer must say `expected`.
pub(crate) async fn check(asked: Asked, client: usize, expected: &str) {
    let mut connection = Connection::open(asked, client).await;
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
    async fn open(asked: Asked, client: usize) -> Self {
        let stream = TcpStream::connect(asked.server).await.expect("a server");
        stream.set_nodelay(true).expect("a live socket");
        let who = match asked.who {
            Who::Anyone => String::new(),
            Who::Each => format!("{MERCHANT}: m-{client:02}\r\n"),
            Who::One => format!("{MERCHANT}: m-42\r\n"),
            Who::Holding(cookies) => format!("cookie: {}\r\n", cookies[client]),
        };
        let request = format!(
            "GET /items/{client} HTTP/1.1\r\nhost: api.example.com\r\n\
             user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0)\r\n{who}\
             accept: application/json\r\naccept-encoding: gzip, br\r\n\r\n"
        );
        Self {
            stream,
            request: request.into_bytes(),
            buffer: vec![0; 4 * BODY_BYTES],
        }
    }

    /// How many were answered, and how many of them were refused.
    async fn ask_until(mut self, end: Instant) -> [u64; 2] {
        let mut counts = [0, 0];
        while Instant::now() < end {
            self.ask().await;
            counts[0] += 1;
            counts[1] += u64::from(!self.buffer.starts_with(b"HTTP/1.1 200 "));
        }
        counts
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

/// Every body has the same length and no empty line in it: found so, the end costs no parsing. Those of
/// refusals are as long as they say.
fn is_whole(answer: &[u8]) -> bool {
    let is_usual = answer
        .len()
        .checked_sub(BODY_BYTES)
        .is_some_and(|head| answer[..head].ends_with(END_OF_HEAD));
    is_usual || !answer.starts_with(b"HTTP/1.1 200 ") && is_as_long_as_said(answer)
}

fn is_as_long_as_said(answer: &[u8]) -> bool {
    let Some(end) = memmem::find(answer, END_OF_HEAD) else {
        return false;
    };
    let field = memmem::find(&answer[..end], LENGTH).expect("a length") + LENGTH.len();
    let digits = answer[field..end]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    answer.len() == end + END_OF_HEAD.len() + length
}

const END_OF_HEAD: &[u8] = b"\r\n\r\n";
const LENGTH: &[u8] = b"content-length: ";

pub(crate) const CLIENTS: usize = 64;
