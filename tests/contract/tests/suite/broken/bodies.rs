//! The layers that change or hold bodies.

use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_keep_contract::bodies;
use tower_keep_test_support::{BodyError, ScriptedBody};

use super::{broken, contract};
use crate::layers::{Around, BodyFault, FaultyBodies, around, boxed};

#[tokio::test]
async fn every_fault_of_a_response_body_is_caught() {
    for (fault, how) in [
        (BodyFault::Collects, "Get with"),
        (BodyFault::DropsTrailers, "Trailers"),
        (BodyFault::HidesHint, "upper: Some(0)"),
        (BodyFault::HidesEnd, "at_end: true"),
        (BodyFault::SwallowsErrors, "Error(71)"),
        (BodyFault::DropsEmptyFrames, "several frames"),
    ] {
        let contract = contract(move || FaultyBodies(fault));
        let kept = bodies::response_bodies_pass_unchanged(&contract).await;
        broken(kept, "bodies::response_bodies_pass_unchanged", how);
    }
}

#[tokio::test]
async fn collecting_a_response_behind_its_head_is_caught() {
    let contract = contract(|| FaultyBodies(BodyFault::Collects));
    let kept = bodies::responses_stream(&contract).await;
    broken(kept, "bodies::responses_stream", "before the next is made");
}

#[tokio::test]
async fn collecting_a_response_before_its_head_is_caught() {
    let contract = contract(|| {
        around(|inner, request| async move {
            let (head, body) = inner.oneshot(request).await?.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            Ok(boxed(Response::from_parts(head, ScriptedBody::full(body))))
        })
    });
    let kept = bodies::responses_stream(&contract).await;
    broken(kept, "bodies::responses_stream", "no frame was made yet");
}

#[tokio::test]
async fn trailers_of_a_request_that_are_lost_are_caught() {
    let contract = contract(|| with_request(|body| FaultyRequest::DropsTrailers.apply(body)));
    let kept = bodies::request_bodies_pass_unchanged(&contract).await;
    broken(kept, "bodies::request_bodies_pass_unchanged", "");
}

#[tokio::test]
async fn collecting_a_request_is_caught() {
    let contract = contract(|| with_request(|body| FaultyRequest::Collects.apply(body)));
    let kept = bodies::requests_stream(&contract).await;
    broken(kept, "bodies::requests_stream", "the head of the request");
}

fn with_request<F, Fut>(change: F) -> Around
where
    F: Fn(ScriptedBody) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = ScriptedBody> + Send + 'static,
{
    around(move |inner, request| async move {
        let (head, body) = request.into_parts();
        let body = change(body).await;
        Ok(boxed(inner.oneshot(Request::from_parts(head, body)).await?))
    })
}

#[derive(Clone, Copy)]
enum FaultyRequest {
    Collects,
    DropsTrailers,
}

impl FaultyRequest {
    async fn apply(self, mut body: ScriptedBody) -> ScriptedBody {
        let exact = body.size_hint().exact().is_some();
        let mut made = ScriptedBody::empty();
        while let Some(frame) = body.frame().await {
            made = match (frame, self) {
                (Ok(frame), _) if frame.is_data() => made.data(frame.into_data().unwrap()),
                (Ok(_), Self::DropsTrailers) => made,
                (Ok(frame), Self::Collects) => made.trailers(frame.into_trailers().unwrap()),
                (Err(error), _) => made.error(BodyError::number(&error)),
            };
        }
        if exact { made } else { made.unknown_length() }
    }
}
