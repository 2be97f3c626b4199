//! The response future: it polls, and tells what came.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::{body::ResponseBody, recorder::Recorder};

pin_project! {
    /// The future of [`HitRate`](crate::HitRate)'s responses.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        recorder: Option<Recorder>,
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn new(inner: F, recorder: Recorder) -> Self {
        Self {
            inner,
            recorder: Some(recorder),
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.project();
        let recorder = future.recorder.as_mut();
        let recorder = recorder.expect("a future is not polled after it is done");
        let result = ready!(recorder.around(|| future.inner.poll(cx)));
        let mut recorder = future.recorder.take();
        Poll::Ready(match result {
            Ok(mut response) => {
                let recorded = recorder.as_mut();
                let is_over = recorded.is_some_and(|it| it.answered(&mut response));
                let recorder = recorder.filter(|_| !is_over);
                Ok(response.map(|body| ResponseBody::new(body, recorder)))
            }
            Err(error) => {
                if let Some(mut recorder) = recorder {
                    recorder.failed();
                }
                Err(error)
            }
        })
    }
}
