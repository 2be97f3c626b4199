//! A socket that lets others go first before it writes.
//!
//! Requests that are ready in the same turn of the runtime each send their command. The first of them wakes the
//! connection's task, which the runtime runs before the second: it would write for the first alone. So a write
//! first goes to the end of the line, and then takes with it what has come meanwhile: one write here, one read
//! and one write on the server, one read back, for many.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pin_project! {
    /// A stream whose writes wait until the tasks that are ready now have run.
    pub(super) struct Gathering<S> {
        #[pin]
        stream: S,
        has_waited: bool,
    }
}

impl<S> Gathering<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            has_waited: false,
        }
    }
}

impl<S: AsyncWrite> AsyncWrite for Gathering<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        if !*this.has_waited {
            *this.has_waited = true;
            // A task that wakes itself is run after all that are ready, or by a worker that is idle.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        this.stream.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        // All has been written: what comes next waits anew.
        *this.has_waited = false;
        this.stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_shutdown(cx)
    }
}

impl<S: AsyncRead> AsyncRead for Gathering<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.project().stream.poll_read(cx, into)
    }
}
