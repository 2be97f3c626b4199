use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// One client with one connection, kept alive.
#[derive(Debug)]
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    /// Connects.
    ///
    /// # Panics
    ///
    /// If nothing listens.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a listener");
        stream.set_nodelay(true).expect("a TCP socket");
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .expect("a handshake sends nothing");
        tokio::spawn(connection);
        Self { sender }
    }

    /// Asks for a page.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path), String::new()).await
    }

    /// Asks for a page, past the cache.
    pub async fn get_uncached(&mut self, path: &str) -> Answer {
        let request = Request::get(path).header("x-bypass-cache", "1");
        self.send(request, String::new()).await
    }

    /// Changes a candidate.
    pub async fn change_status(&mut self, candidate: i64, status: &str) -> Answer {
        let path = format!("/api/candidates/{candidate}/status");
        let request = Request::patch(path).header(header::CONTENT_TYPE, "application/json");
        self.send(request, format!(r#"{{"status":"{status}"}}"#))
            .await
    }

    /// The status of a candidate, as this page shows it.
    ///
    /// # Panics
    ///
    /// If the answer is not the candidate's.
    pub async fn status_of(&mut self, candidate: i64) -> String {
        let answer = self.get(&format!("/api/candidates/{candidate}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let page = answer.json();
        assert_eq!(page["id"], candidate, "{page}");
        page["status"].as_str().expect("a status").to_owned()
    }

    async fn send(&mut self, request: http::request::Builder, body: String) -> Answer {
        let request = request
            .header(header::HOST, HOST)
            .body(Full::new(Bytes::from(body)))
            .expect("a good request");
        self.sender.ready().await.expect("a connection");
        let start = Instant::now();
        let (head, body) = self
            .sender
            .send_request(request)
            .await
            .expect("an answer")
            .into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Answer {
            status: head.status,
            headers: head.headers,
            body,
            took: start.elapsed(),
        }
    }
}

/// A response, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// From the request to the last byte.
    pub took: Duration,
}

impl Answer {
    /// Whether the cache says that it answered.
    #[must_use]
    pub fn is_hit(&self) -> bool {
        self.field("cache-status")
            .split(';')
            .any(|part| part.trim() == "hit")
    }

    /// How many database queries it cost.
    ///
    /// # Panics
    ///
    /// If it does not say so.
    #[must_use]
    pub fn queries(&self) -> u32 {
        let (_, db) = self
            .field("server-timing")
            .split_once("desc=\"")
            .expect("a Server-Timing field");
        let number = db.split_once(' ').expect("a number of queries").0;
        number.parse().expect("a number of queries")
    }

    /// Its body.
    ///
    /// # Panics
    ///
    /// If that is not JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    fn field(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("visible ASCII"))
    }
}

/// What all clients ask for, whichever process they ask: as behind a load balancer. The host is part
/// of what is cached.
const HOST: &str = "hiring.example";
