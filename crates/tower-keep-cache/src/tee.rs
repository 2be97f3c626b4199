//! A body that is stored while it passes.
//!
//! The client sees each frame when the origin sends it; storing holds nothing back. But neither does a
//! slow client hold up those who wait for the entry: as soon as somebody follows, or when the client has
//! left, the rest is read in the background, never further ahead than what may be stored.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tower_keep_store::with_bytes;

use crate::{
    engine::background::{Background, Task},
    fill::Fill,
};

/// The client's end.
pub(crate) struct Tee<B: Body> {
    passage: Arc<Mutex<Passage<B>>>,
    /// Known to be possible where the tee was made; a destructor may not ask for it.
    read_ahead: fn(&Arc<Mutex<Passage<B>>>),
}

/// The inner body, what has been read of it, and what of that the client has not seen yet.
struct Passage<B: Body> {
    inner: Pin<Box<B>>,
    ahead: VecDeque<Result<Frame<Bytes>, B::Error>>,
    fill: Option<Collecting>,
    /// Somebody reads in the background; the client waits for what comes of it.
    is_read_ahead: bool,
    /// The inner body panicked while it was polled: it must not be polled again.
    is_broken: bool,
    client: Option<Waker>,
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

impl<B: Body> Tee<B> {
    pub(crate) fn new(inner: B, fill: Fill) -> Self
    where
        B: Send + 'static,
        B::Error: Send,
    {
        let flight = fill.flight().cloned();
        let mut passage = Passage {
            inner: Box::pin(inner),
            ahead: VecDeque::new(),
            fill: Some(Collecting {
                fill,
                collected: Collected::Nothing,
                trailers: None,
            }),
            is_read_ahead: false,
            is_broken: false,
            client: None,
        };
        // An empty body may never be polled.
        passage.finish_at_end();
        let is_whole = passage.fill.is_none();
        let passage = Arc::new(Mutex::new(passage));
        if let Some(flight) = flight.filter(|_| !is_whole) {
            let passage = Arc::downgrade(&passage);
            flight.on_follower(move || {
                if let Some(passage) = passage.upgrade() {
                    read_ahead(&passage);
                }
            });
        }
        Self {
            passage,
            read_ahead: read_ahead::<B>,
        }
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut passage = locked(&self.passage);
        if let Some(frame) = passage.ahead.pop_front() {
            return Poll::Ready(Some(frame));
        }
        if passage.is_read_ahead {
            passage.client = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let next = passage.poll_next(cx);
        if next.is_pending() && passage.fill.is_some() {
            // Many bodies remember one waker only, and a reader in the background may take its place.
            passage.client = Some(cx.waker().clone());
        }
        next
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        let passage = locked(&self.passage);
        passage.ahead.is_empty() && passage.inner.is_end_stream()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        let passage = locked(&self.passage);
        let frames = passage.ahead.iter().flatten().filter_map(Frame::data_ref);
        let ahead: u64 = frames.map(|data| data.len() as u64).sum();
        let inner = passage.inner.size_hint();
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + ahead);
        }
        hint.set_lower(inner.lower() + ahead);
        hint
    }
}

impl<B: Body> Drop for Tee<B> {
    fn drop(&mut self) {
        (self.read_ahead)(&self.passage);
    }
}

impl<B: Body> fmt::Debug for Tee<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passage = locked(&self.passage);
        f.debug_struct("Tee")
            .field("fill", &passage.fill)
            .field("is_read_ahead", &passage.is_read_ahead)
            .finish_non_exhaustive()
    }
}

/// Reads on in the background until the fill is complete or hopeless, unless somebody does.
fn read_ahead<B>(passage: &Arc<Mutex<Passage<B>>>)
where
    B: Body + Send + 'static,
    B::Error: Send,
{
    let (background, patience): (Background, _) = {
        let mut passage = locked(passage);
        let Some(collecting) = &passage.fill else {
            return;
        };
        let background = collecting.fill.background().clone();
        let patience = collecting.fill.patience();
        if std::mem::replace(&mut passage.is_read_ahead, true) {
            return;
        }
        (background, patience)
    };
    let reading = Reading(passage.clone());
    background.spawn(Task::Body, async move {
        let to_the_end = std::future::poll_fn(|cx| locked(&reading.0).poll_ahead(cx));
        let _whole_or_not = tokio::time::timeout(patience, to_the_end).await;
    });
}

/// Who reads in the background; however it ends, the client goes on by itself then.
struct Reading<B: Body>(Arc<Mutex<Passage<B>>>);

impl<B: Body> Drop for Reading<B> {
    fn drop(&mut self) {
        let mut passage = locked(&self.0);
        // In time it is whole; out of time, those who wait have waited long enough.
        passage.release();
        passage.is_read_ahead = false;
        if let Some(client) = passage.client.take() {
            client.wake();
        }
    }
}

impl<B: Body> Passage<B> {
    /// The next frame, collected on its way.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        assert!(
            !self.is_broken,
            "the inner body panicked when it was read in the background"
        );
        // Should it panic now, nothing is left to complete.
        let mut fill = self.fill.take();
        self.is_broken = true;
        if let Some(collecting) = &mut fill {
            collecting.fill.waits();
        }
        let polled = self.inner.as_mut().poll_frame(cx);
        if let Some(collecting) = fill.as_mut().filter(|_| polled.is_ready()) {
            collecting.fill.has_waited();
        }
        self.is_broken = false;
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

    /// Reads all that is worth reading, for the client to take when it likes.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.fill.is_some() {
            let Some(frame) = ready!(self.poll_next(cx)) else {
                break;
            };
            if self.ahead.len() >= MOST_FRAMES_AHEAD {
                self.release();
            }
            self.ahead.push_back(frame);
            if let Some(client) = self.client.take() {
                client.wake();
            }
        }
        Poll::Ready(())
    }

    fn collect(&mut self, frame: &Frame<Bytes>) {
        let Some(collecting) = &mut self.fill else {
            return;
        };
        if let Some(data) = frame.data_ref() {
            let room = collecting.fill.largest_body();
            if collecting.collected.len() + data.len() > room {
                self.release();
                return;
            }
            collecting.collected.push(data);
        } else if let Some(trailers) = frame.trailers_ref() {
            collecting.trailers = Some(trailers.clone());
        }
    }

    /// Many bodies are not polled again after their last frame.
    fn finish_at_end(&mut self) {
        if self.inner.is_end_stream() {
            self.finish();
        }
    }

    fn finish(&mut self) {
        if let Some(collecting) = self.fill.take() {
            let body = collecting.collected.into_bytes();
            collecting.fill.complete(body, collecting.trailers);
        }
    }

    fn release(&mut self) {
        if let Some(collecting) = self.fill.take() {
            collecting.fill.release();
        }
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
            Self::Joined(bytes) if bytes.capacity() > bytes.len() + bytes.len() / 4 => {
                Bytes::copy_from_slice(&bytes)
            }
            Self::Joined(bytes) => bytes.freeze(),
        }
    }
}

/// Frames read ahead of the client; their bytes are bounded by what may be stored, their number is not.
const MOST_FRAMES_AHEAD: usize = 4096;

/// A body that panicked under the lock left nothing half done that matters: its fill is gone.
fn locked<B: Body>(passage: &Mutex<Passage<B>>) -> MutexGuard<'_, Passage<B>> {
    passage.lock().unwrap_or_else(PoisonError::into_inner)
}
