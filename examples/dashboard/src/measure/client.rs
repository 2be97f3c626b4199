//! One client, one connection.

use std::{net::SocketAddr, time::Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{error::StartError, http::BYPASS};

/// Keeps its connection alive, so that no measurement contains a handshake.
#[derive(Debug)]
pub(super) struct Client {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
}

/// A response, read to its end.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) milliseconds: f64,
    pub(super) body: Bytes,
    headers: HeaderMap,
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> Result<Self, StartError> {
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(failed)?;
        tokio::spawn(connection);
        Ok(Self {
            sender,
            host: HeaderValue::try_from(address.to_string()).map_err(failed)?,
        })
    }

    /// Sends `request`, past the cache if `bypass`.
    pub(super) async fn send(
        &mut self,
        mut request: Request<Bytes>,
        bypass: bool,
    ) -> Result<Reply, StartError> {
        request
            .headers_mut()
            .insert(header::HOST, self.host.clone());
        if bypass {
            request
                .headers_mut()
                .insert(BYPASS, HeaderValue::from_static("1"));
        }
        self.sender.ready().await.map_err(failed)?;
        let start = Instant::now();
        let response = self
            .sender
            .send_request(request.map(Full::new))
            .await
            .map_err(failed)?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(failed)?.to_bytes();
        let milliseconds = start.elapsed().as_secs_f64() * 1000.0;
        Ok(Reply {
            status: head.status,
            milliseconds,
            body,
            headers: head.headers,
        })
    }
}

impl Reply {
    /// What the cache says it did, as RFC 9211 has it.
    pub(super) fn cache_status(&self) -> &str {
        self.header("cache-status")
    }

    pub(super) fn is_hit(&self) -> bool {
        self.cache_status()
            .split(';')
            .any(|parameter| parameter.trim() == "hit")
    }

    /// The number of queries from `Server-Timing`.
    pub(super) fn queries(&self) -> Option<u32> {
        let (_, db) = self.header("server-timing").split_once("db;desc=\"")?;
        db.split_once(' ')?.0.parse().ok()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StartError {
    StartError::because("the measuring client failed", error)
}
