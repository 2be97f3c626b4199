//! What those who wait for an answer hear of a request that is still on its way.

use std::{
    pin::pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, timeout_at};

use super::ProxyError;

/// How far a client's body has come. In HTTP/2 this is the only way to hear what became of it.
#[derive(Debug)]
pub(super) struct Upload {
    last: Mutex<Instant>,
    fault: OnceLock<Fault>,
}

/// Why a client's body broke off.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    Broken,
    TimedOut,
    TooLarge,
}

/// How long an answer is waited for: from when the request was made, and from when the last of its body was taken.
#[derive(Debug)]
pub(super) struct Patience {
    span: Duration,
    pub(super) deadline: Instant,
}

impl Upload {
    pub(super) fn begins() -> Self {
        Self {
            last: Mutex::new(Instant::now()),
            fault: OnceLock::new(),
        }
    }

    pub(super) fn goes_on(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(super) fn breaks_off(&self, fault: Fault) {
        let _first = self.fault.set(fault);
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault.get().copied()
    }

    fn last(&self) -> Instant {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Patience {
    pub(super) fn new(span: Duration) -> Self {
        Self {
            span,
            deadline: Instant::now() + span,
        }
    }

    /// The answer, if it comes in time.
    pub(super) async fn wait<T>(
        &self,
        upload: Option<&Arc<Upload>>,
        answer: impl Future<Output = T>,
    ) -> Result<T, ProxyError> {
        let mut answer = pin!(answer);
        let mut until = self.deadline;
        loop {
            if let Ok(answer) = timeout_at(until, &mut answer).await {
                return Ok(answer);
            }
            let later = upload.map(|upload| upload.last() + self.span);
            match later.filter(|later| *later > Instant::now()) {
                Some(later) => until = later,
                None => return Err(ProxyError::TimedOut),
            }
        }
    }
}

impl From<Fault> for ProxyError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Broken => Self::RequestBroken,
            Fault::TimedOut => Self::RequestTimedOut,
            Fault::TooLarge => Self::RequestTooLarge,
        }
    }
}
