//! The body of a response, measured as it goes by.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::recorder::Recorder;

pin_project! {
    /// The inner body: every frame, trailer, size hint and error passes as it came, when it came.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        inner: B,
        recorder: Option<Recorder>,
    }
}

impl<B> ResponseBody<B> {
    /// Without a recorder the request is over already.
    pub(crate) fn new(inner: B, recorder: Option<Recorder>) -> Self {
        Self { inner, recorder }
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut body = self.project();
        let Some(recorder) = body.recorder else {
            return body.inner.poll_frame(cx);
        };
        let inner = body.inner.as_mut();
        let frame = ready!(recorder.around(|| inner.poll_frame(cx)));
        let is_over = match &frame {
            Some(Ok(frame)) => {
                recorder.passed(frame.data_ref().map_or(0, Buf::remaining));
                let is_over = body.inner.is_end_stream();
                if is_over {
                    recorder.ended();
                }
                is_over
            }
            Some(Err(_)) => {
                recorder.broke();
                true
            }
            None => {
                recorder.ended();
                true
            }
        };
        if is_over {
            *body.recorder = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
