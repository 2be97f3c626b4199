//! Futures that do not wait.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

/// What a future gives that is ready when it is first polled: without a runtime around it, whose own
/// allocations would be counted too.
///
/// # Panics
///
/// If it is not ready.
pub fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future has to wait"),
    }
}
