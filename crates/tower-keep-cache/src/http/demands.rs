//! What a request asks of the stored response that would answer it (RFC 9111 §5.2.1).

use std::time::Duration;

use http::{
    HeaderMap,
    header::{CACHE_CONTROL, PRAGMA},
};
use tower_keep_store::Timestamp;

use super::{answer::current_age, control::Control, entry::StoredResponse};
use crate::engine::entry::{Meta, Usability};

/// The directives of a request that concern which response may answer it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Demands {
    /// "The client prefers stored response not be used to satisfy the request without successful validation
    /// on the origin server" (§5.2.1.4).
    pub(crate) no_cache: bool,
    /// "The client prefers a response whose age is less than or equal to the specified number of seconds"
    /// (§5.2.1.1).
    pub(crate) max_age: Option<Duration>,
    /// "The client prefers a response whose freshness lifetime is no less than its current age plus the
    /// specified time in seconds" (§5.2.1.3).
    pub(crate) min_fresh: Option<Duration>,
    /// "The client will accept a response that has exceeded its freshness lifetime … by no more than the
    /// specified number of seconds" (§5.2.1.2).
    pub(crate) max_stale: Option<Duration>,
}

impl Demands {
    /// `Pragma: no-cache`, which RFC 9111 §5.4 deprecates, counts where a client that knows of nothing newer
    /// sends it: without `Cache-Control`.
    pub(crate) fn of(control: &Control, request: &HeaderMap) -> Self {
        let is_old = !request.contains_key(CACHE_CONTROL);
        Self {
            no_cache: control.no_cache || is_old && says_no_cache(request),
            max_age: control.max_age,
            min_fresh: control.min_fresh,
            max_stale: control.max_stale,
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// How this request may use what could be used so by any: what is not good enough for it has to be
    /// confirmed by the origin, and what is stale may still be good enough.
    ///
    /// `may_be_stale`: whether the response itself allows that. Asked only where it matters.
    pub(crate) fn judge(
        &self,
        stored: &StoredResponse,
        meta: &Meta,
        usability: Usability,
        now: Timestamp,
        may_be_stale: impl FnOnce() -> bool,
    ) -> Usability {
        let is_too_old = |most| current_age(stored, meta, now) > most;
        if self.no_cache || self.max_age.is_some_and(is_too_old) {
            return usability.max(Usability::Expired);
        }
        let left = meta.fresh_until.since(now);
        match usability {
            Usability::Fresh if self.min_fresh.is_some_and(|least| left < least) => {
                Usability::Expired
            }
            Usability::Stale | Usability::OnError | Usability::Expired => {
                let past = now.since(meta.fresh_until);
                let is_accepted = self.max_stale.is_some_and(|most| past <= most);
                match is_accepted && self.min_fresh.is_none() && may_be_stale() {
                    true => Usability::Stale,
                    // "Unless the max-stale request directive is also present, the client does not wish to
                    // receive a stale response" (§5.2.1.1).
                    false if self.max_age.or(self.min_fresh).is_some() => Usability::Expired,
                    false => usability,
                }
            }
            _ => usability,
        }
    }
}

fn says_no_cache(request: &HeaderMap) -> bool {
    let lines = request.get_all(PRAGMA).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .any(|word| word.trim_ascii().eq_ignore_ascii_case(b"no-cache"))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use tower_keep_store::Stamp;

    use super::*;

    fn demands(fields: &[(&'static str, &'static str)]) -> Demands {
        let fields = fields.iter().map(|(name, value)| {
            let name: http::HeaderName = name.parse().expect("a field name");
            (name, value.parse().expect("a field value"))
        });
        let headers: HeaderMap = fields.collect();
        Demands::of(&Control::of(&headers), &headers)
    }

    /// Of a response that came at 1000 with an age of 10 s, fresh until 1060.
    fn judged(control: &'static str, usability: Usability, now: u64) -> Usability {
        let stored = StoredResponse {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: bytes::Bytes::new(),
            trailers: None,
            initial_age: Duration::from_secs(10),
            shared_with: Default::default(),
            said: Default::default(),
        };
        let [received, fresh_until] = [1000, 1060].map(Timestamp::from_secs);
        let meta = Meta {
            stamp: Stamp::default(),
            targets: Box::default(),
            received,
            fresh_until,
            stale_until: fresh_until,
            error_until: fresh_until,
            kept_until: fresh_until,
            cost: Duration::ZERO,
            early: Duration::ZERO,
            first_level: true,
            store: true,
        };
        let now = Timestamp::from_secs(now);
        let demands = demands(&[("cache-control", control)]);
        demands.judge(&stored, &meta, usability, now, || true)
    }

    #[test]
    fn what_is_fresh_may_not_be_fresh_enough() {
        let at_1020 = |control| judged(control, Usability::Fresh, 1020);
        for good_enough in [
            "",
            "max-age=30",
            "min-fresh=40",
            "max-stale",
            "max-age=x, max-age=30",
        ] {
            let expected = match good_enough {
                // What cannot be read asks for the most.
                "max-age=x, max-age=30" => Usability::Expired,
                _ => Usability::Fresh,
            };
            assert_eq!(at_1020(good_enough), expected, "{good_enough}");
        }
        for too_little in [
            "no-cache",
            "max-age=29",
            "max-age=0",
            "min-fresh=41",
            "max-age=0, max-stale",
        ] {
            assert_eq!(at_1020(too_little), Usability::Expired, "{too_little}");
        }
    }

    #[test]
    fn what_is_stale_may_be_good_enough() {
        let at_1080 = |control| judged(control, Usability::Expired, 1080);
        for good_enough in ["max-stale=20", "max-stale", "max-stale=20, max-age=90"] {
            assert_eq!(at_1080(good_enough), Usability::Stale, "{good_enough}");
        }
        for too_little in [
            "",
            "max-stale=19",
            "max-stale, no-cache",
            "max-stale, max-age=89",
            "max-stale=x",
        ] {
            assert_eq!(at_1080(too_little), Usability::Expired, "{too_little}");
        }
        let in_its_window = |control| judged(control, Usability::Stale, 1080);
        assert_eq!(in_its_window(""), Usability::Stale);
        assert_eq!(in_its_window("max-stale=1"), Usability::Stale);
        assert_eq!(in_its_window("max-age=1000"), Usability::Expired);
        assert_eq!(judged("max-stale", Usability::Not, 1080), Usability::Not);
        assert_eq!(judged("no-cache", Usability::Not, 1080), Usability::Not);
    }

    #[test]
    fn pragma_speaks_only_for_those_who_know_nothing_newer() {
        assert!(demands(&[("pragma", "x, No-Cache")]).no_cache);
        assert!(demands(&[("pragma", "x=no-cache")]).is_none());
        let newer = [("pragma", "no-cache"), ("cache-control", "max-age=60")];
        assert!(!demands(&newer).no_cache);
    }
}
