//! Clients: HTTP/1.1, HTTP/2, and bytes as they come.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) cache_status: String,
}

impl Answer {
    pub(crate) fn is_hit(&self) -> bool {
        self.cache_status.split(';').any(|part| part == "hit")
    }
}

/// Asks on a connection of its own, in HTTP/1.1.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    read(open(address, path).await).await
}

/// Asks in HTTP/1.1, and leaves the body unread.
pub(crate) async fn open(address: SocketAddr, path: &str) -> Response<Incoming> {
    let (mut sender, connection) = http1::handshake(connect(address).await)
        .await
        .expect("a handshake sends nothing");
    tokio::spawn(connection);
    let request = Request::get(path)
        .header(header::HOST, HOST)
        .header(header::TE, "trailers");
    let request = request.body(Empty::<Bytes>::new()).expect("a good request");
    sender.send_request(request).await.expect("an answer")
}

/// Asks in HTTP/2.
pub(crate) async fn get_http2(address: SocketAddr, path: &str) -> Answer {
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), connect(address).await)
        .await
        .expect("HTTP/2");
    tokio::spawn(connection);
    let request = Request::get(format!("http://{HOST}{path}"));
    let request = request.body(Empty::<Bytes>::new()).expect("a good request");
    read(sender.send_request(request).await.expect("an answer")).await
}

/// Connects and writes a request, as bytes.
pub(crate) async fn send_raw(address: SocketAddr, path: &str) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("a listener");
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {HOST}\r\nte: trailers\r\nconnection: te, close\r\n\r\n"
    );
    let mut stream = stream;
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes())
        .await
        .expect("a socket that takes a request");
    stream
}

async fn connect(address: SocketAddr) -> TokioIo<TcpStream> {
    TokioIo::new(TcpStream::connect(address).await.expect("a listener"))
}

async fn read(response: Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a whole body");
    let cache_status = head.headers.get("cache-status");
    Answer {
        status: head.status,
        trailers: body.trailers().cloned(),
        body: body.to_bytes(),
        cache_status: cache_status.map_or_else(String::new, |value| {
            value.to_str().expect("visible ASCII").to_owned()
        }),
    }
}

/// What all ask for.
pub(crate) const HOST: &str = "stack.example";
