//! The body of a response: the inner one, or ours where the store failed.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of what [`SessionManager`](crate::SessionManager) answers.
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
        Passing { #[pin] inner: B },
        Own { text: Bytes },
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn passing(inner: B) -> Self {
        Self {
            kind: Kind::Passing { inner },
        }
    }

    pub(crate) fn own(text: Bytes) -> Self {
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
            KindProj::Passing { inner } => {
                let frame = ready!(inner.poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map(with_bytes)))
            }
            KindProj::Own { text } if text.is_empty() => Poll::Ready(None),
            KindProj::Own { text } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(text))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Passing { inner } => inner.is_end_stream(),
            Kind::Own { text } => text.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Passing { inner } => inner.size_hint(),
            Kind::Own { text } => SizeHint::with_exact(text.len() as u64),
        }
    }
}

/// A frame as it is, its data as [`Bytes`]; without a copy where it was that already.
fn with_bytes<D: Buf>(frame: Frame<D>) -> Frame<Bytes> {
    frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
}
