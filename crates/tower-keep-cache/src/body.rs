//! The body of a response: the inner one, a stored one, or the inner one while it is stored.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_keep_store::with_bytes;

use crate::tee::Tee;

pin_project! {
    /// The body of what [`Cache`](crate::Cache) answers.
    ///
    /// On the way from the origin every frame, trailer, size hint and error passes as it came, when it
    /// came.
    #[derive(Debug)]
    pub struct ResponseBody<B>
    where
        B: Body,
    {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    #[derive(Debug)]
    enum Kind<B>
    where
        B: Body,
    {
        Passing { #[pin] inner: B },
        Storing { tee: Tee<B> },
        Stored { data: Bytes, trailers: Option<HeaderMap>, had_trailers: bool },
    }
}

impl<B: Body> ResponseBody<B> {
    pub(crate) fn passing(inner: B) -> Self {
        Self {
            kind: Kind::Passing { inner },
        }
    }

    pub(crate) fn storing(tee: Tee<B>) -> Self {
        Self {
            kind: Kind::Storing { tee },
        }
    }

    pub(crate) fn stored(data: Bytes, trailers: Option<HeaderMap>) -> Self {
        let had_trailers = trailers.is_some();
        Self {
            kind: Kind::Stored {
                data,
                trailers,
                had_trailers,
            },
        }
    }

    pub(crate) fn empty() -> Self {
        Self::stored(Bytes::new(), None)
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
            KindProj::Storing { tee } => tee.poll_frame(cx),
            KindProj::Stored { data, trailers, .. } => Poll::Ready(if data.is_empty() {
                trailers
                    .take()
                    .map(|trailers| Ok(Frame::trailers(trailers)))
            } else {
                Some(Ok(Frame::data(std::mem::take(data))))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Passing { inner } => inner.is_end_stream(),
            Kind::Storing { tee } => tee.is_end_stream(),
            Kind::Stored { data, trailers, .. } => data.is_empty() && trailers.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Passing { inner } => inner.size_hint(),
            Kind::Storing { tee } => tee.size_hint(),
            // An exact length would let HTTP/1.1 end the message before the trailers.
            Kind::Stored {
                data,
                had_trailers: true,
                ..
            } => {
                let mut hint = SizeHint::new();
                hint.set_lower(data.len() as u64);
                hint
            }
            Kind::Stored { data, .. } => SizeHint::with_exact(data.len() as u64),
        }
    }
}
