//! What the log says of an origin that cannot be reached.

use std::{
    error::Error,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::Uri;

use crate::causes::causes;

/// Says why, once in a while: each request tries anew.
#[derive(Debug, Default)]
pub(super) struct Report(Mutex<Option<Said>>);

#[derive(Debug)]
struct Said {
    reason: String,
    at: Instant,
}

impl Report {
    pub(super) fn tell(&self, origin: &Uri, error: &(dyn Error + 'static)) {
        if let Some(reason) = self.news(error) {
            tracing::warn!(%origin, %reason, "the origin did not answer");
        }
    }

    /// The reason, unless it was said a moment ago.
    fn news(&self, error: &(dyn Error + 'static)) -> Option<String> {
        let reason = reason(error);
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(said) = &*said
            && said.reason == reason
            && said.at.elapsed() < AGAIN
        {
            return None;
        }
        *said = Some(Said {
            reason: reason.clone(),
            at: Instant::now(),
        });
        Some(reason)
    }
}

/// The error and its causes in one line.
fn reason(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    for cause in causes(error).skip(1) {
        let said = cause.to_string();
        // Some say all of what caused them.
        if !line.ends_with(&said) {
            line = format!("{line}: {said}");
        }
    }
    line
}

const AGAIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::connection::ConnectError;

    #[test]
    fn the_same_reason_is_said_once_in_a_while() {
        let report = Report::default();
        let broken = ConnectError::Tls(std::io::Error::other("unknown"));
        assert_eq!(report.news(&broken), Some("no TLS: unknown".into()));
        assert_eq!(report.news(&broken), None);
        let late = ConnectError::TimedOut;
        assert_eq!(report.news(&late), Some("not in time".into()));
        assert_eq!(report.news(&late), None);
    }
}
