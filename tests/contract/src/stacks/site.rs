use std::future::Future;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use tower_keep_test_support::{Gate, ScriptedBody};

use crate::script::trailers;

/// What is served behind the layer in every HTTP stack; its stream waits at a gate.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) gate: Gate,
}

impl Site {
    pub(super) fn new() -> Self {
        Self {
            gate: Gate::closed(),
        }
    }

    /// Answers by path: `/echo`, `/stream`, `/teapot`, `/broken`.
    pub(super) fn answer<B>(
        &self,
        request: Request<B>,
    ) -> impl Future<Output = Response<ScriptedBody>> + Send + use<B>
    where
        B: Body<Data = Bytes> + Send + 'static,
    {
        let gate = self.gate.clone();
        async move {
            match request.uri().path() {
                "/echo" => echo(request).await,
                "/stream" => Response::new(stream(&gate)),
                "/broken" => Response::new(
                    ScriptedBody::full("a")
                        .pend_once()
                        .error(1)
                        .unknown_length(),
                ),
                _ => teapot(),
            }
        }
    }
}

async fn echo<B>(request: Request<B>) -> Response<ScriptedBody>
where
    B: Body<Data = Bytes> + Send,
{
    let collected = request.into_body().collect().await;
    match collected {
        Ok(collected) => {
            let body = ScriptedBody::full(collected.to_bytes()).trailers(trailers());
            Response::new(body.unknown_length())
        }
        Err(_) => teapot(),
    }
}

fn stream(gate: &Gate) -> ScriptedBody {
    let body = STREAM
        .into_iter()
        .fold(ScriptedBody::empty(), |body, frame| {
            body.gate(gate).data(frame)
        });
    body.unknown_length()
}

fn teapot() -> Response<ScriptedBody> {
    let mut response = Response::new(ScriptedBody::full("short and stout"));
    *response.status_mut() = StatusCode::IM_A_TEAPOT;
    response
}

/// The frames of `/stream`.
pub(super) const STREAM: [&str; 3] = ["first", "second", "third"];
