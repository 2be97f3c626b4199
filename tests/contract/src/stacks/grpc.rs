//! A gRPC service and its client, written by hand: no code generator, no message library.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, BufMut};
use futures_util::{Stream, stream::unfold};
use tonic::{
    Request, Response, Status,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataMap,
    server::{Grpc, NamedService},
};
use tower::{Service, service_fn};
use tower_keep_test_support::Gate;

/// `contract.Echo`: `Unary` answers, `Stream` sends one message after the other and ends with an
/// error, `Fail` fails.
#[derive(Clone, Debug)]
pub(super) struct Echo {
    pub(super) gate: Gate,
}

impl Echo {
    pub(super) const UNARY: &'static str = "/contract.Echo/Unary";
    pub(super) const STREAM: &'static str = "/contract.Echo/Stream";
    pub(super) const FAIL: &'static str = "/contract.Echo/Fail";

    pub(super) fn new() -> Self {
        Self {
            gate: Gate::closed(),
        }
    }
}

impl NamedService for Echo {
    const NAME: &'static str = "contract.Echo";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let gate = self.gate.clone();
        Box::pin(async move {
            let mut grpc = Grpc::new(Text);
            Ok(match request.uri().path() {
                Self::UNARY => grpc.unary(service_fn(unary), request).await,
                Self::STREAM => {
                    let stream = service_fn(move |request| stream(request, gate.clone()));
                    grpc.server_streaming(stream, request).await
                }
                _ => grpc.unary(service_fn(fail), request).await,
            })
        })
    }
}

async fn unary(request: Request<String>) -> Result<Response<String>, Status> {
    let mut response = Response::new(format!("hello {}", request.get_ref()));
    *response.metadata_mut() = metadata();
    Ok(response)
}

async fn fail(_: Request<String>) -> Result<Response<String>, Status> {
    Err(failure())
}

type Messages = Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;

/// Each message waits at the gate, and the end is an error with metadata.
async fn stream(_: Request<String>, gate: Gate) -> Result<Response<Messages>, Status> {
    let messages = unfold(0, move |sent: usize| {
        let passed = gate.pass();
        async move {
            passed.await;
            match MESSAGES.get(sent) {
                Some(message) => Some((Ok((*message).to_owned()), sent + 1)),
                None if sent == MESSAGES.len() => Some((Err(failure()), sent + 1)),
                None => None,
            }
        }
    });
    Ok(Response::new(Box::pin(messages)))
}

fn failure() -> Status {
    Status::with_metadata(tonic::Code::DataLoss, "scripted failure", metadata())
}

fn metadata() -> MetadataMap {
    let mut metadata = MetadataMap::new();
    metadata.insert(METADATA, "kept".parse().expect("ASCII is metadata"));
    metadata
}

/// A codec of plain text: messages without a message library.
#[derive(Clone, Copy, Debug)]
pub struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, text: String, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(text.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        let text = String::from_utf8(bytes.into());
        text.map(Some)
            .map_err(|_| Status::internal("the message is not text"))
    }
}

/// The messages of `Stream`.
pub(super) const MESSAGES: [&str; 3] = ["first", "second", "third"];

/// What every answer and every failure carries.
pub(super) const METADATA: &str = "x-contract";
