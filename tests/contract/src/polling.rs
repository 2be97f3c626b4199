use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use tokio::time::timeout;

/// Polls a future up to `times` times, each time when it asked to be polled; its output, if that
/// was enough.
pub(crate) async fn poll_times<F>(future: &mut Pin<Box<F>>, times: usize) -> Option<F::Output>
where
    F: Future + ?Sized,
{
    let mut polls = 0;
    poll_fn(|cx| {
        if polls == times {
            return Poll::Ready(None);
        }
        polls += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls == times => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Waits for something that should come without delay; says what did not, if it does not.
pub(crate) async fn within<F: Future>(
    patience: Duration,
    what: &str,
    future: F,
) -> Result<F::Output, String> {
    let output = timeout(patience, future).await;
    output.map_err(|_| format!("{what} did not come within {patience:?}"))
}

/// Pends once and asks to be polled again.
pub(crate) async fn pend_once() {
    let mut pended = false;
    poll_fn(|cx| {
        if pended {
            return Poll::Ready(());
        }
        pended = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Lets everything else that can run run for a while.
pub(crate) async fn let_others_run() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}
