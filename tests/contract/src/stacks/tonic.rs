use std::{future::Future, net::SocketAddr, pin::Pin, time::Duration};

use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio::net::TcpListener;
use tonic::{
    Code, Status,
    body::Body,
    client::Grpc,
    metadata::MetadataMap,
    service::Routes,
    transport::{Channel, Server as TonicServer, server::TcpIncoming},
};
use tower::{BoxError, Layer, Service};

use super::grpc::{Echo, MESSAGES, METADATA, Text};
use crate::{
    Contract, Kept,
    polling::within,
    rules::{check, ensure},
    server::Server,
};

/// A layer that `tonic::transport::Server::layer` takes.
pub trait OnTonic {
    /// Serves gRPC routes with the layer around them.
    fn serve(self, routes: Routes, listener: TcpListener) -> Serving;
}

/// A server that runs until it is dropped.
pub type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<L, ResBody> OnTonic for L
where
    L: Layer<Routes> + Clone + Send + 'static,
    L::Service: Service<
            http::Request<Body>,
            Response = http::Response<ResBody>,
            Error: Into<BoxError> + Send,
            Future: Send + 'static,
        > + Clone
        + Send
        + 'static,
    ResBody: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    fn serve(self, routes: Routes, listener: TcpListener) -> Serving {
        let server = TonicServer::builder().layer(self).add_routes(routes);
        Box::pin(async move {
            let _ = server
                .serve_with_incoming(TcpIncoming::from(listener))
                .await;
        })
    }
}

/// In a tonic server: a unary call with its trailers, a stream whose messages arrive one at a
/// time and that ends in a status, and a failure with metadata.
pub async fn on_tonic<L: OnTonic>(contract: &Contract<L>) -> Kept {
    let echo = Echo::new();
    let routes = Routes::new(echo.clone());
    let layer = contract.layer();
    let server = Server::start(|listener| layer.serve(routes, listener)).await;
    check(
        "stacks::on_tonic",
        visit(server.address(), &echo, contract.patience),
    )
    .await
}

async fn visit(address: SocketAddr, echo: &Echo, patience: Duration) -> Result<(), String> {
    let mut client = Client::connected(address, patience).await?;
    client
        .unary()
        .await
        .map_err(|how| format!("a unary call: {how}"))?;
    client
        .stream(echo)
        .await
        .map_err(|how| format!("a stream: {how}"))?;
    client
        .fail()
        .await
        .map_err(|how| format!("a failure: {how}"))
}

struct Client {
    grpc: Grpc<Channel>,
    patience: Duration,
}

impl Client {
    async fn connected(address: SocketAddr, patience: Duration) -> Result<Self, String> {
        let endpoint = Channel::from_shared(format!("http://{address}"));
        let endpoint = endpoint.expect("an address is a URI");
        let channel = within(patience, "a connection", endpoint.connect()).await?;
        let channel = channel.map_err(|error| format!("no connection: {error:?}"))?;
        Ok(Self {
            grpc: Grpc::new(channel),
            patience,
        })
    }

    async fn unary(&mut self) -> Result<(), String> {
        let answer = self.call(Echo::UNARY).await?;
        let answer = answer.map_err(|status| format!("it failed: {status:?}"))?;
        let text = answer.get_ref();
        ensure(text == "hello world", || format!("it answered {text:?}"))?;
        has_metadata(answer.metadata())?;
        let status = answer.metadata().get("grpc-status");
        ensure(status.is_some_and(|status| status == "0"), || {
            format!("its trailers said grpc-status {status:?}")
        })
    }

    async fn stream(&mut self, echo: &Echo) -> Result<(), String> {
        self.ready().await?;
        let request = tonic::Request::new("world".to_owned());
        let call = self
            .grpc
            .server_streaming(request, path(Echo::STREAM), Text);
        let answer = within(self.patience, "its head", call).await?;
        let answer = answer.map_err(|status| format!("it failed at once: {status:?}"))?;
        let mut messages = answer.into_inner();
        for expected in MESSAGES {
            echo.gate.let_through(1);
            let message = within(self.patience, expected, messages.message()).await?;
            ensure(
                matches!(&message, Ok(Some(text)) if text == expected),
                || format!("expected {expected:?}, got {message:?}"),
            )?;
        }
        echo.gate.let_through(1);
        let end = within(self.patience, "its end", messages.message()).await?;
        is_failure(end.map(drop))
    }

    async fn fail(&mut self) -> Result<(), String> {
        is_failure(self.call(Echo::FAIL).await?.map(drop))
    }

    async fn call(
        &mut self,
        method: &'static str,
    ) -> Result<Result<tonic::Response<String>, Status>, String> {
        self.ready().await?;
        let request = tonic::Request::new("world".to_owned());
        let call = self.grpc.unary(request, path(method), Text);
        within(self.patience, "an answer", call).await
    }

    async fn ready(&mut self) -> Result<(), String> {
        let ready = within(self.patience, "the channel", self.grpc.ready()).await?;
        ready.map_err(|error| format!("the channel broke: {error:?}"))
    }
}

fn is_failure(outcome: Result<(), Status>) -> Result<(), String> {
    let Err(status) = outcome else {
        return Err("it ended well".to_owned());
    };
    let expected = status.code() == Code::DataLoss && status.message() == "scripted failure";
    ensure(expected, || format!("it ended with {status:?}"))?;
    has_metadata(status.metadata())
}

fn has_metadata(metadata: &MetadataMap) -> Result<(), String> {
    let kept = metadata.get(METADATA).is_some_and(|value| value == "kept");
    ensure(kept, || format!("its metadata came as {metadata:?}"))
}

fn path(method: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(method)
}
