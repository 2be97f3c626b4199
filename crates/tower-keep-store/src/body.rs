//! The body of a response that a layer passes on, or gives in its place.

use std::{
    any::Any,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of what a layer answers: the inner one, or the layer's own.
    ///
    /// Every frame, trailer, size hint and error of an inner body passes as it came, when it came.
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
        Own { text: Bytes },
    }
}

/// What is dropped with the end of a body.
type Held = Box<dyn Any + Send + Sync>;

impl<B> ResponseBody<B> {
    /// The inner body.
    pub fn passing(inner: B) -> Self {
        Self {
            kind: Kind::Passing { inner, held: None },
        }
    }

    /// The inner body; `held` is dropped when it has ended, or is dropped itself.
    pub fn holding(inner: B, held: impl Send + Sync + 'static) -> Self
    where
        B: Body,
    {
        let is_over = inner.is_end_stream();
        let held: Option<Held> = (!is_over).then(|| Box::new(held) as Held);
        Self {
            kind: Kind::Passing { inner, held },
        }
    }

    /// A body of the layer's own.
    #[must_use]
    pub fn own(text: Bytes) -> Self {
        Self {
            kind: Kind::Own { text },
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
                if held.is_some() && (!matches!(frame, Some(Ok(_))) || inner.is_end_stream()) {
                    *held = None;
                }
                Poll::Ready(frame.map(|frame| frame.map(with_bytes)))
            }
            KindProj::Own { text } if text.is_empty() => Poll::Ready(None),
            KindProj::Own { text } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(text))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Passing { inner, .. } => inner.is_end_stream(),
            Kind::Own { text } => text.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Passing { inner, .. } => inner.size_hint(),
            Kind::Own { text } => SizeHint::with_exact(text.len() as u64),
        }
    }
}

/// A frame as it is, its data as [`Bytes`]; without a copy where it was that already.
pub fn with_bytes<D: Buf>(frame: Frame<D>) -> Frame<Bytes> {
    frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
}
