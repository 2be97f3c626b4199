//! The stream of one who watches.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};

use super::frames::Seat;

/// Server-sent events, a snapshot each second. It holds no frame: whoever does not read leaves it unasked,
/// and gets the newest when he reads again.
#[derive(Debug)]
pub(super) struct Events {
    seat: Seat,
    /// None before the first frame.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Events {
    pub(super) fn new(seat: Seat) -> Self {
        Self { seat, timer: None }
    }

    /// The next event; the end when the page is closed, at the next second at the latest.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let frames = self.seat.frames();
        let Some(timer) = &mut self.timer else {
            // Made here and not before: a response is made anywhere, but a body is read in a runtime.
            self.timer = Some(Box::pin(sleep_until(Instant::now())));
            return Poll::Ready(Some(Bytes::from_static(RETRY)));
        };
        loop {
            if frames.is_closed() {
                return Poll::Ready(None);
            }
            ready!(timer.as_mut().poll(cx));
            if let Some(frame) = frames.frame() {
                timer.as_mut().reset(frames.after(&frame));
                return Poll::Ready(Some(frame.event));
            }
            timer.as_mut().reset(Instant::now() + IN_THE_MAKING);
        }
    }
}

/// How long browsers wait before they connect again.
const RETRY: &[u8] = b"retry: 2000\n\n";

/// How long it takes, more or less, to make a frame.
const IN_THE_MAKING: Duration = Duration::from_millis(5);
