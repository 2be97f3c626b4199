//! How long a response that is stored may answer (RFC 9111 §4.2).

use std::time::Duration;

use http::HeaderMap;
use tower_keep_store::Timestamp;

use super::{
    control::Control,
    freshness::{Times, initial_age},
};
use crate::class::Class;

/// How long a response may answer, and in which ways after that.
pub(super) struct Lifetime {
    pub(super) fresh_until: Timestamp,
    pub(super) stale_while_revalidate: Duration,
    pub(super) stale_if_error: Duration,
}

impl Lifetime {
    pub(super) fn none(times: Times) -> Self {
        Self {
            fresh_until: times.received,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
        }
    }

    /// Whether it has ended before anybody could use it, with all that may follow it.
    pub(super) fn is_over(&self, times: Times) -> bool {
        let stale_for = self.stale_while_revalidate.max(self.stale_if_error);
        self.fresh_until + stale_for <= times.received
    }
}

pub(super) fn of_class(class: &Class, control: &Control, times: Times) -> Lifetime {
    let may_be_stale = !control.must_revalidate;
    let when = |allowed: bool, window: Duration| if allowed { window } else { Duration::ZERO };
    Lifetime {
        fresh_until: times.received + class.jittered(times.received),
        stale_while_revalidate: when(may_be_stale, class.stale_while_revalidate),
        stale_if_error: when(may_be_stale, class.stale_if_error),
    }
}

pub(super) fn of_fields(
    stated: Duration,
    control: &Control,
    headers: &HeaderMap,
    times: Times,
) -> Lifetime {
    // RFC 9111 §5.2.2.10: `s-maxage` has the meaning of `proxy-revalidate` too.
    let may_be_stale = !control.must_revalidate && control.s_maxage.is_none();
    let when = |window: Option<Duration>| window.filter(|_| may_be_stale).unwrap_or_default();
    Lifetime {
        fresh_until: times.received + stated - initial_age(headers, times),
        stale_while_revalidate: when(control.stale_while_revalidate),
        stale_if_error: when(control.stale_if_error),
    }
}
