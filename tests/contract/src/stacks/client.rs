use std::{net::SocketAddr, time::Duration};

use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tower_keep_test_support::ScriptedBody;

use super::site::{STREAM, Site};
use crate::{polling::within, rules::ensure, script::trailers};

/// Asks a served [`Site`] for everything, in HTTP/1.1 and in HTTP/2.
pub(super) async fn visit(
    address: SocketAddr,
    site: &Site,
    patience: Duration,
) -> Result<(), String> {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let visitor = Visitor {
            address,
            protocol,
            patience,
        };
        let result = visitor.visit(site).await;
        result.map_err(|how| format!("{protocol:?}: {how}"))?;
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// A client with a connection of its own for every request.
#[derive(Clone, Copy, Debug)]
struct Visitor {
    address: SocketAddr,
    protocol: Protocol,
    patience: Duration,
}

impl Visitor {
    async fn visit(self, site: &Site) -> Result<(), String> {
        self.echo()
            .await
            .map_err(|how| format!("a round trip: {how}"))?;
        self.stream(site)
            .await
            .map_err(|how| format!("a stream: {how}"))?;
        self.teapot()
            .await
            .map_err(|how| format!("an error status: {how}"))?;
        self.broken()
            .await
            .map_err(|how| format!("a body that breaks: {how}"))
    }

    /// A body there and back, and trailers where the protocol always carries them.
    async fn echo(self) -> Result<(), String> {
        let body = ScriptedBody::frames(["round", "trip"]).unknown_length();
        let response = self.ask("POST", "/echo", body).await?;
        ensure(response.status() == StatusCode::OK, || {
            format!("status {}", response.status())
        })?;
        let collected = within(self.patience, "the body", response.into_body().collect()).await?;
        let collected = collected.map_err(|error| format!("the body broke: {error:?}"))?;
        let seen = collected.trailers().cloned();
        let bytes = collected.to_bytes();
        ensure(bytes == "roundtrip", || {
            format!("the body came back as {bytes:?}")
        })?;
        ensure(
            self.protocol == Protocol::Http1 || seen == Some(trailers()),
            || format!("the trailers came as {seen:?}"),
        )
    }

    /// Each frame is there before the next is made.
    async fn stream(self, site: &Site) -> Result<(), String> {
        let response = self.ask("GET", "/stream", ScriptedBody::empty()).await?;
        let mut body = response.into_body();
        for expected in STREAM {
            site.gate.let_through(1);
            let frame = within(self.patience, expected, body.frame()).await?;
            let data = frame
                .and_then(Result::ok)
                .and_then(|frame| frame.into_data().ok());
            ensure(data.as_deref() == Some(expected.as_bytes()), || {
                format!("expected {expected:?}, got {data:?}")
            })?;
        }
        let end = within(self.patience, "the end of the stream", body.frame()).await?;
        ensure(end.is_none(), || format!("the stream went on with {end:?}"))
    }

    async fn teapot(self) -> Result<(), String> {
        let response = self.ask("GET", "/teapot", ScriptedBody::empty()).await?;
        let status = response.status();
        ensure(status == StatusCode::IM_A_TEAPOT, || {
            format!("it came as {status}")
        })
    }

    /// A body that breaks must not look like one that ended. HTTP/2 may reset the stream before the
    /// head was sent: that does not look so either.
    async fn broken(self) -> Result<(), String> {
        let request = self.request("GET", "/broken", ScriptedBody::empty());
        let response = within(self.patience, "the response", self.send(request)).await?;
        let Ok(response) = response else {
            return Ok(());
        };
        let whole = within(self.patience, "the error", response.into_body().collect()).await?;
        ensure(whole.is_err(), || "it ended well".to_owned())
    }

    async fn ask(
        self,
        method: &str,
        path: &str,
        body: ScriptedBody,
    ) -> Result<Response<Incoming>, String> {
        let request = self.request(method, path, body);
        let response = within(self.patience, "the response", self.send(request)).await?;
        response.map_err(|error| format!("the request failed: {error:?}"))
    }

    fn request(self, method: &str, path: &str, body: ScriptedBody) -> Request<ScriptedBody> {
        let request = Request::builder().method(method);
        let request = match self.protocol {
            Protocol::Http1 => request
                .uri(path)
                .header(header::HOST, self.address.to_string()),
            Protocol::Http2 => request.uri(format!("http://{}{path}", self.address)),
        };
        request.body(body).expect("the suite's requests are valid")
    }

    async fn send(self, request: Request<ScriptedBody>) -> hyper::Result<Response<Incoming>> {
        let stream = TcpStream::connect(self.address)
            .await
            .expect("the server listens");
        let io = TokioIo::new(stream);
        match self.protocol {
            Protocol::Http1 => {
                let (mut sender, connection) = http1::handshake(io).await?;
                tokio::spawn(connection);
                sender.send_request(request).await
            }
            Protocol::Http2 => {
                let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(connection);
                sender.send_request(request).await
            }
        }
    }
}
