//! A body that is stored while it passes.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::{body::with_bytes, engine::spawn, fill::Fill};

/// The inner body, and what has passed of it.
///
/// The client sees each frame when the origin sends it; storing holds nothing back. A client that
/// leaves does not end the fill: the rest is read in the background, within a bound.
pub(crate) struct Tee<B: Body + Send + 'static> {
    /// Gone only while it moves to the background.
    inner: Option<Pin<Box<B>>>,
    fill: Option<Collecting>,
    in_background: bool,
}

/// What has passed, until it is whole or not worth it any more.
#[derive(Debug)]
struct Collecting {
    fill: Fill,
    collected: Collected,
    trailers: Option<HeaderMap>,
}

/// One frame is kept as it is; several are joined.
#[derive(Debug)]
enum Collected {
    Nothing,
    One(Bytes),
    Joined(BytesMut),
}

impl<B: Body + Send + 'static> Tee<B> {
    pub(crate) fn new(inner: B, fill: Fill) -> Self {
        let mut tee = Self {
            inner: Some(Box::pin(inner)),
            fill: Some(Collecting {
                fill,
                collected: Collected::Nothing,
                trailers: None,
            }),
            in_background: false,
        };
        // An empty body may never be polled.
        tee.finish_at_end();
        tee
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(None);
        };
        // Should the inner body panic, nothing is left to complete: it may not be polled again.
        let fill = self.fill.take();
        let polled = inner.as_mut().poll_frame(cx);
        if !matches!(polled, Poll::Ready(Some(Err(_)))) {
            // After an error, too, what has passed is no response.
            self.fill = fill;
        }
        let frame = match ready!(polled) {
            Some(Ok(frame)) => with_bytes(frame),
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => {
                self.finish();
                return Poll::Ready(None);
            }
        };
        self.collect(&frame);
        self.finish_at_end();
        Poll::Ready(Some(Ok(frame)))
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }

    fn collect(&mut self, frame: &Frame<Bytes>) {
        let Some(collecting) = &mut self.fill else {
            return;
        };
        if let Some(data) = frame.data_ref() {
            let room = collecting.fill.largest_body();
            if collecting.collected.len() + data.len() > room {
                // Dropping the fill lets the followers go at once.
                self.release();
                return;
            }
            collecting.collected.push(data);
        } else if let Some(trailers) = frame.trailers_ref() {
            collecting.trailers = Some(trailers.clone());
        }
    }

    fn release(&mut self) {
        if let Some(collecting) = self.fill.take() {
            collecting.fill.release();
        }
    }

    /// Many bodies are not polled again after their last frame.
    fn finish_at_end(&mut self) {
        if self.is_end_stream() {
            self.finish();
        }
    }

    fn finish(&mut self) {
        if let Some(collecting) = self.fill.take() {
            let body = collecting.collected.into_bytes();
            collecting.fill.complete(body, collecting.trailers);
        }
    }

    /// Reads on until the fill is complete or hopeless.
    async fn read_to_end(mut self) {
        while self.fill.is_some() {
            let next = std::future::poll_fn(|cx| self.poll_frame(cx)).await;
            if !matches!(next, Some(Ok(_))) {
                return;
            }
        }
    }
}

impl<B: Body + Send + 'static> Drop for Tee<B> {
    fn drop(&mut self) {
        if self.in_background {
            return;
        }
        let (Some(inner), Some(collecting)) = (self.inner.take(), self.fill.take()) else {
            return;
        };
        let patience = collecting.fill.patience();
        let rest = Self {
            inner: Some(inner),
            fill: Some(collecting),
            in_background: true,
        };
        spawn(async move {
            let _whole_or_not = tokio::time::timeout(patience, rest.read_to_end()).await;
        });
    }
}

impl<B: Body + Send + 'static> fmt::Debug for Tee<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tee")
            .field("fill", &self.fill)
            .finish_non_exhaustive()
    }
}

impl Collected {
    fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::One(bytes) => bytes.len(),
            Self::Joined(bytes) => bytes.len(),
        }
    }

    fn push(&mut self, data: &Bytes) {
        match self {
            _ if data.is_empty() => {}
            Self::Nothing => *self = Self::One(data.clone()),
            Self::One(first) => {
                let mut joined = BytesMut::with_capacity(2 * (first.len() + data.len()));
                joined.extend_from_slice(first);
                joined.extend_from_slice(data);
                *self = Self::Joined(joined);
            }
            Self::Joined(joined) => joined.extend_from_slice(data),
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Nothing => Bytes::new(),
            // A view could keep a much larger buffer alive than the entry is weighed for.
            Self::One(bytes) => Bytes::copy_from_slice(&bytes),
            Self::Joined(bytes) => bytes.freeze(),
        }
    }
}
