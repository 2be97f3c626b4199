//! A body that is waited for only so long, and taken only so far.

use std::{
    error::Error,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::{
    client::Held,
    upload::{Fault, Upload},
};

/// What a client sends.
pub(crate) type RequestBody = TimedBody<Incoming>;

/// What the origin sends.
pub(crate) type OriginBody = TimedBody<Incoming>;

/// Frames pass as they come; if none comes for too long, or too much has come, it breaks off.
#[derive(Debug)]
pub(crate) struct TimedBody<B> {
    /// Nothing: an empty one.
    inner: Option<B>,
    /// What came of it before it was sent on.
    gathered: Gathered,
    timeout: Duration,
    /// Made when a frame is first waited for.
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether it runs: not while nobody asks for the next frame, as when a client reads slowly.
    is_waiting: bool,
    left: Option<u64>,
    /// Who hears how it goes.
    upload: Option<Arc<Upload>>,
    /// Its place on a connection.
    _held: Option<Held>,
}

/// A small body that came whole.
#[derive(Clone, Debug, Default)]
struct Gathered {
    data: Option<Bytes>,
    trailers: Option<Box<HeaderMap>>,
}

/// Why a body broke off.
#[derive(Debug)]
pub(crate) enum BodyError<E> {
    Inner(E),
    TimedOut,
    TooLarge,
}

impl<B: Body> TimedBody<B> {
    pub(crate) fn new(inner: B, timeout: Duration, largest: Option<u64>) -> Self {
        Self {
            inner: Some(inner),
            gathered: Gathered::default(),
            timeout,
            timer: None,
            is_waiting: false,
            left: largest,
            upload: None,
            _held: None,
        }
    }

    /// The same once more, where nothing of it would be lost.
    pub(super) fn again(&self) -> Option<Self> {
        self.inner
            .as_ref()
            .is_none_or(Body::is_end_stream)
            .then(|| Self {
                inner: None,
                gathered: self.gathered.clone(),
                timeout: self.timeout,
                timer: None,
                is_waiting: false,
                left: None,
                upload: None,
                _held: None,
            })
    }

    /// Tells how it goes, if there is something to come.
    pub(super) fn watched(&mut self) -> Option<Arc<Upload>> {
        let has_ended = self.inner.as_ref().is_none_or(Body::is_end_stream);
        if !has_ended && self.upload.is_none() {
            self.upload = Some(Arc::new(Upload::begins()));
        }
        self.upload.clone()
    }

    /// Leaves that place when it is dropped.
    pub(super) fn holding(mut self, held: Option<Held>) -> Self {
        self._held = held;
        self
    }

    /// Whether the next frame has been waited for too long.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let timeout = self.timeout;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
        if !std::mem::replace(&mut self.is_waiting, true) {
            timer.as_mut().reset(Instant::now() + timeout);
        }
        timer.as_mut().poll(cx).is_ready()
    }

    fn checked<E>(&mut self, frame: Result<Frame<Bytes>, E>) -> Result<Frame<Bytes>, BodyError<E>> {
        let frame = frame.map_err(BodyError::Inner)?;
        if self.is_within(frame.data_ref()) {
            Ok(frame)
        } else {
            Err(BodyError::TooLarge)
        }
    }

    fn tell(&self, fault: Option<Fault>) {
        match (&self.upload, fault) {
            (Some(upload), Some(fault)) => upload.breaks_off(fault),
            (Some(upload), None) => upload.goes_on(),
            (None, _) => {}
        }
    }

    /// Counts a frame, and whether there is room for it.
    fn is_within(&mut self, data: Option<&Bytes>) -> bool {
        let (Some(left), Some(data)) = (&mut self.left, data) else {
            return true;
        };
        match left.checked_sub(data.len() as u64) {
            Some(less) => {
                *left = less;
                true
            }
            None => false,
        }
    }
}

impl<B> Body for TimedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = BodyError<B::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(frame) = self.gathered.next() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(None);
        };
        let Poll::Ready(frame) = Pin::new(inner).poll_frame(cx) else {
            return if self.is_late(cx) {
                self.tell(Some(Fault::TimedOut));
                Poll::Ready(Some(Err(BodyError::TimedOut)))
            } else {
                Poll::Pending
            };
        };
        self.is_waiting = false;
        let frame = frame.map(|frame| self.checked(frame));
        let fault = frame.as_ref().and_then(|frame| frame.as_ref().err());
        self.tell(fault.map(BodyError::fault));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.gathered.is_empty() && self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.inner.as_ref().map(Body::size_hint);
        let gathered = self.gathered.data.as_ref().map_or(0, Bytes::len);
        hint.unwrap_or_else(|| SizeHint::with_exact(gathered as u64))
    }
}

impl<B> TimedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    /// Takes a small body whole, if it says how long it is: then it can be sent [again](Self::again).
    pub(super) async fn gather(&mut self, most: u64) -> Result<(), BodyError<B::Error>> {
        let length = self.size_hint().exact();
        if self.is_end_stream() || length.is_none_or(|length| length > most) {
            return Ok(());
        }
        let (mut data, mut trailers) = (BytesMut::new(), None);
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut *self).poll_frame(cx)).await {
            match frame?.into_data() {
                Ok(more) => data.extend_from_slice(&more),
                Err(last) => trailers = last.into_trailers().ok().map(Box::new),
            }
        }
        self.inner = None;
        self.gathered = Gathered {
            data: Some(data.freeze()).filter(|data| !data.is_empty()),
            trailers,
        };
        Ok(())
    }
}

impl Gathered {
    fn next(&mut self) -> Option<Frame<Bytes>> {
        let data = self.data.take().map(Frame::data);
        data.or_else(|| self.trailers.take().map(|last| Frame::trailers(*last)))
    }

    fn is_empty(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }
}

impl<E> BodyError<E> {
    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::Inner(_) => Fault::Broken,
            Self::TimedOut => Fault::TimedOut,
            Self::TooLarge => Fault::TooLarge,
        }
    }
}

impl<E: fmt::Display> fmt::Display for BodyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inner(error) => error.fmt(f),
            Self::TimedOut => f.write_str("a body was waited for too long"),
            Self::TooLarge => f.write_str("a body is too large"),
        }
    }
}

impl<E: Error + 'static> Error for BodyError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Inner(error) => error.source(),
            Self::TimedOut | Self::TooLarge => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tower_keep_test_support::{Gate, ScriptedBody};

    use super::*;

    async fn ends(body: ScriptedBody, largest: Option<u64>) -> Result<Bytes, String> {
        let timed = TimedBody::new(body, Duration::from_millis(20), largest);
        let whole = timed.collect().await;
        whole
            .map(http_body_util::Collected::to_bytes)
            .map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn frames_pass_and_a_body_too_large_breaks_off() {
        let body = || ScriptedBody::frames(["ab", "cd"]);
        assert_eq!(ends(body(), None).await.expect("whole"), "abcd");
        assert_eq!(ends(body(), Some(4)).await.expect("whole"), "abcd");
        assert!(ends(body(), Some(3)).await.is_err());
    }

    #[tokio::test]
    async fn a_body_that_stops_is_not_waited_for_forever() {
        let never = Gate::closed();
        let body = ScriptedBody::frames(["ab"]).gate(&never);
        assert!(ends(body, None).await.is_err());
    }
}
