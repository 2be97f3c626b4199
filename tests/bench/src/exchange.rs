//! One request and its whole response.

use std::{
    fmt::Debug,
    future::poll_fn,
    hint::black_box,
    pin::{Pin, pin},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use tower::Service;

/// Sends a request and reads the answer to its end, as a server would. Returns the body's length.
///
/// # Panics
///
/// If there is no whole answer: a figure of a failing service would mean nothing.
pub async fn exchange<S, Q, B>(service: &mut S, request: Request<Q>) -> usize
where
    S: Service<Request<Q>, Response = Response<B>>,
    S::Error: Debug,
    B: Body<Data = Bytes>,
    B::Error: Debug,
{
    let mut body = pin!(answer(service, request).await);
    let mut length = 0;
    while let Some(frame) = frame(body.as_mut()).await {
        length += frame.data_ref().map_or(0, Bytes::len);
    }
    black_box(length)
}

/// Sends a request and waits for the first frame of the answer's body. Returns the rest of it.
///
/// # Panics
///
/// If there is no answer.
pub async fn first_frame<S, Q, B>(service: &mut S, request: Request<Q>) -> Pin<Box<B>>
where
    S: Service<Request<Q>, Response = Response<B>>,
    S::Error: Debug,
    B: Body<Data = Bytes>,
    B::Error: Debug,
{
    let mut body = Box::pin(answer(service, request).await);
    black_box(frame(body.as_mut()).await);
    body
}

async fn answer<S, Q, B>(service: &mut S, request: Request<Q>) -> B
where
    S: Service<Request<Q>, Response = Response<B>>,
    S::Error: Debug,
{
    poll_fn(|cx| service.poll_ready(cx))
        .await
        .expect("a service that gets ready");
    let response = service.call(request).await.expect("an answer");
    black_box(response).into_body()
}

async fn frame<B>(mut body: Pin<&mut B>) -> Option<Frame<Bytes>>
where
    B: Body<Data = Bytes>,
    B::Error: Debug,
{
    let frame = poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
    frame.map(|frame| frame.expect("a whole body"))
}
