use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinHandle};

use crate::app::HOST;

/// One client with one connection to one process, kept alive.
#[derive(Debug)]
pub struct Client {
    sender: SendRequest<Empty<Bytes>>,
    connection: JoinHandle<()>,
}

impl Client {
    /// Connects; nothing, if nobody listens.
    pub async fn connect(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        let connection = tokio::spawn(async {
            let _it_may_be_killed = connection.await;
        });
        Some(Self { sender, connection })
    }

    /// Asks; nothing, if the process died over it.
    pub async fn try_get(&mut self, path: &str) -> Option<Answer> {
        self.send(Method::GET, path).await
    }

    /// Asks a process that lives.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.try_get(path).await.expect("an answer")
    }

    /// The version that this page shows.
    ///
    /// # Panics
    ///
    /// If it shows none.
    pub async fn version(&mut self, path: &str) -> u64 {
        let answer = self.get(path).await;
        answer.version().unwrap_or_else(|| panic!("{answer:?}"))
    }

    /// Invalidates, such as `item/7`; whether everybody will know of it.
    pub async fn try_invalidate(&mut self, what: &str) -> Option<bool> {
        let path = format!("/invalidate/{what}");
        let answer = self.send(Method::POST, &path).await?;
        Some(answer.status == StatusCode::NO_CONTENT)
    }

    /// Invalidates through a process that lives, on a store that answers.
    ///
    /// # Panics
    ///
    /// If one does not.
    pub async fn invalidate(&mut self, what: &str) {
        let told = self.try_invalidate(what).await;
        assert_eq!(told, Some(true), "{what}");
    }

    /// Changes an item through the application; its new version, if everybody will know of it.
    pub async fn try_write(&mut self, item: u64) -> Option<u64> {
        self.try_change("write", item).await
    }

    /// The same in one of the ways that the application knows: `write`, `put`, `put-announced`.
    pub async fn try_change(&mut self, way: &str, item: u64) -> Option<u64> {
        let answer = self.send(Method::POST, &format!("/{way}/{item}")).await?;
        answer.version()
    }

    async fn send(&mut self, method: Method, path: &str) -> Option<Answer> {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::HOST, HOST).body(Empty::new());
        let request = request.expect("a good request");
        self.sender.ready().await.ok()?;
        let (head, body) = self.sender.send_request(request).await.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Answer {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.connection.abort();
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
    pub body: String,
}

impl Answer {
    /// The version that it shows, if it is a page or a value.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        let is_good = self.status == StatusCode::OK;
        is_good.then(|| self.body.parse().ok())?
    }

    /// Whether the cache says that it answered.
    #[must_use]
    pub fn is_hit(&self) -> bool {
        self.status().split(';').any(|part| part.trim() == "hit")
    }

    /// Whether the cache says that it stores what it passed on.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.status().split(';').any(|part| part.trim() == "stored")
    }

    fn status(&self) -> &str {
        let value = self.headers.get("cache-status");
        value.map_or("", |value| value.to_str().expect("visible ASCII"))
    }
}
