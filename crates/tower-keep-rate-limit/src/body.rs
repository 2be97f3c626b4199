//! The body of a response: the inner one, or that of a refusal.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::slots::Held;

pin_project! {
    /// The body of what [`RateLimit`](crate::RateLimit) answers.
    ///
    /// Every frame, trailer, size hint and error of an inner body passes as it came, when it came. Slots of
    /// concurrency limits are held until it has ended.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    #[derive(Debug)]
    enum Kind<B> {
        Passing { #[pin] inner: B, held: Option<Held> },
        Refusal { text: Bytes },
    }
}

impl<B: Body> ResponseBody<B> {
    pub(crate) fn passing(inner: B, held: Option<Held>) -> Self {
        let held = held.filter(|_| !inner.is_end_stream());
        Self {
            kind: Kind::Passing { inner, held },
        }
    }

    pub(crate) fn refusal(text: Bytes) -> Self {
        Self {
            kind: Kind::Refusal { text },
        }
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProj::Passing { mut inner, held } => {
                let frame = ready!(inner.as_mut().poll_frame(cx));
                let is_over = !matches!(frame, Some(Ok(_))) || inner.is_end_stream();
                if is_over {
                    *held = None;
                }
                Poll::Ready(frame.map(|frame| frame.map(with_bytes)))
            }
            KindProj::Refusal { text } if text.is_empty() => Poll::Ready(None),
            KindProj::Refusal { text } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(text))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Passing { inner, .. } => inner.is_end_stream(),
            Kind::Refusal { text } => text.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Passing { inner, .. } => inner.size_hint(),
            Kind::Refusal { text } => SizeHint::with_exact(text.len() as u64),
        }
    }
}

/// A frame as it is, its data as [`Bytes`]; without a copy where it was that already.
fn with_bytes<D: Buf>(frame: Frame<D>) -> Frame<Bytes> {
    frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
}
