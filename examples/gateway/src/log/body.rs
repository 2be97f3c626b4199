//! A body that tells the log when it has passed.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::line::Line;

pin_project! {
    /// The body of an answer. Frames pass as they are.
    #[derive(Debug)]
    pub(crate) struct LoggedBody<B> {
        #[pin]
        inner: B,
        line: Option<Box<Line>>,
    }
}

impl<B: Body> LoggedBody<B> {
    pub(crate) fn around(response: Response<B>, mut line: Option<Box<Line>>) -> Response<Self> {
        if let Some(line) = &mut line {
            line.answered(response.status());
            if response.body().is_end_stream() {
                line.ended();
            }
        }
        response.map(|inner| Self { inner, line })
    }
}

impl<B: Body<Data = Bytes>> Body for LoggedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.inner.as_mut().poll_frame(cx));
        if let Some(line) = this.line {
            if let Some(Ok(frame)) = &frame {
                line.passed(frame.data_ref().map_or(0, Bytes::len));
            }
            // Servers ask no further once all has come that was promised.
            if frame.is_none() || this.inner.is_end_stream() {
                line.ended();
            }
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
