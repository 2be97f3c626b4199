//! `Server-Timing` (W3C): what a browser's developer tools show of a request.

use std::{
    fmt::{self, Write},
    sync::Arc,
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};
use tower_keep_store::{Outcome, Told};

/// Who is told.
#[derive(Clone, Default)]
pub(crate) struct ServerTiming {
    asks: Option<Arc<Predicate>>,
}

type Predicate = dyn Fn(&Parts) -> bool + Send + Sync;

impl ServerTiming {
    pub(crate) fn when(asks: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        Self {
            asks: Some(Arc::new(asks)),
        }
    }

    /// A predicate wants to see the whole head.
    pub(crate) fn asks_for_head(&self) -> bool {
        self.asks.is_some()
    }

    pub(crate) fn is_asked(&self, request: &Parts) -> bool {
        self.asks.as_ref().is_some_and(|asks| asks(request))
    }
}

impl fmt::Debug for ServerTiming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerTiming")
            .field(&self.asks.is_some())
            .finish()
    }
}

/// Adds what is known of a request at its head to what layers further in have said.
pub(crate) fn add(headers: &mut HeaderMap, told: Told, to_head: Duration) {
    headers.append(SERVER_TIMING, value(told, to_head));
}

/// `cache` is the time that was not the origin's; `origin` what the origin takes: for a hit what it took when its
/// entry was fetched.
fn value(told: Told, to_head: Duration) -> HeaderValue {
    let is_fetched = matches!(told.outcome, Outcome::Miss | Outcome::Bypass);
    let (cache, origin) = match (is_fetched, told.origin_time) {
        (true, Some(origin)) => (Some(to_head.saturating_sub(origin)), Some(origin)),
        // Nobody knows which part of it was whose.
        (true, None) => (None, Some(to_head)),
        (false, origin) => (Some(to_head), origin),
    };
    let mut text = format!("cache;desc={}", told.outcome);
    if let Some(cache) = cache {
        duration(&mut text, cache);
    }
    if let Some(origin) = origin {
        text.push_str(", origin");
        duration(&mut text, origin);
    }
    text.try_into()
        .expect("tokens and numbers are visible ASCII")
}

/// Milliseconds, to the microsecond.
fn duration(text: &mut String, time: Duration) {
    let millis = (time.as_secs_f64() * 1e6).round() / 1e3;
    write!(text, ";dur={millis}").expect("a string takes everything");
}

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_the_standard_says() {
        let [quick, slow] = [1_200, 830_000].map(Duration::from_micros);
        for (told, to_head, text) in [
            (
                Told::from(Outcome::Hit).origin_time(slow),
                quick,
                "cache;desc=hit;dur=1.2, origin;dur=830",
            ),
            (
                Told::from(Outcome::Miss).origin_time(slow),
                slow + quick,
                "cache;desc=miss;dur=1.2, origin;dur=830",
            ),
            (
                Outcome::Miss.into(),
                slow,
                "cache;desc=miss, origin;dur=830",
            ),
            (
                Outcome::Bypass.into(),
                slow,
                "cache;desc=bypass, origin;dur=830",
            ),
            (
                Outcome::Rejected.into(),
                Duration::ZERO,
                "cache;desc=rejected;dur=0",
            ),
            (
                Told::from(Outcome::Stale).origin_time(Duration::from_nanos(1_499)),
                Duration::MAX,
                "cache;desc=stale;dur=18446744073709552000000, origin;dur=0.001",
            ),
        ] {
            assert_eq!(value(told, to_head), text);
        }
    }
}
