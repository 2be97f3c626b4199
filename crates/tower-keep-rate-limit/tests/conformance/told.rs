//! What is said about a request, in a form that can be compared.

use std::time::Duration;

use http::Response;
use tower_keep_rate_limit::{PolicyStatus, Quota, RateLimitStatus, Refusal};

use crate::spec::{Kind, Spec};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) refusal: Option<Refusal>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) lines: Vec<Line>,
    /// `RateLimit-Policy`, `RateLimit` and `Retry-After`; not known before the response is there.
    pub(crate) fields: Option<[Option<String>; 3]>,
}

/// How one policy stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) quota: Quota,
    pub(crate) remaining: u32,
    pub(crate) reset: Duration,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) is_shadow: bool,
}

impl Told {
    pub(crate) fn status(status: &RateLimitStatus) -> Self {
        Self {
            refusal: status.refusal(),
            retry_after: status.retry_after(),
            lines: status.policies().iter().map(Line::of).collect(),
            fields: None,
        }
    }

    /// What a response says whose extensions carry the status.
    pub(crate) fn response<B>(response: &Response<B>) -> Self {
        let status = response.extensions().get::<RateLimitStatus>();
        let field = |name: &str| {
            let value = response.headers().get(name)?;
            Some(value.to_str().expect("printable").to_owned())
        };
        let names = ["ratelimit-policy", "ratelimit", "retry-after"];
        Self {
            fields: Some(names.map(field)),
            ..Self::status(status.expect("the handler and the refusal leave it there"))
        }
    }

    pub(crate) fn without_fields(&self) -> Self {
        Self {
            fields: None,
            ..self.clone()
        }
    }
}

impl Line {
    pub(crate) fn of(status: &PolicyStatus) -> Self {
        Self {
            name: status.name().to_owned(),
            quota: status.quota(),
            remaining: status.remaining(),
            reset: status.reset(),
            retry_after: status.retry_after(),
            is_shadow: status.is_shadow(),
        }
    }

    /// With the microseconds until a unit more is there.
    fn limit_field(&self, spec: Spec, next: u64) -> String {
        let (name, remaining) = (&self.name, self.remaining);
        if spec.kind == Kind::Slots {
            return format!("\"{name}\";r={remaining}");
        }
        let (units, seconds) = allowance(spec);
        let time = match self.retry_after {
            Some(wait) => seconds_up(wait),
            None if remaining == 0 => seconds_up(Duration::from_micros(next)),
            None => (u64::from(remaining) * seconds)
                .div_ceil(units)
                .max(seconds_up(self.reset)),
        };
        format!("\"{name}\";r={remaining};t={time}")
    }

    fn policy_field(&self, spec: Spec) -> String {
        let name = &self.name;
        if spec.kind == Kind::Slots {
            return format!("\"{name}\";q={};qu=\"concurrent-requests\"", spec.limit);
        }
        let (units, seconds) = allowance(spec);
        format!("\"{name}\";q={units};w={seconds}")
    }
}

/// The fields of a response, from what the model says of each policy, and of when a unit more is there.
pub(crate) fn fields(told: &Told, specs: &[Spec], next: &[u64]) -> [Option<String>; 3] {
    let lines = || {
        told.lines
            .iter()
            .zip(specs.iter().zip(next))
            .filter(|(line, _)| !line.is_shadow)
    };
    let is_known = told.refusal != Some(Refusal::TooCostly);
    let list = |all: Vec<String>| (!all.is_empty()).then(|| all.join(", "));
    [
        list(
            lines()
                .map(|(line, (spec, _))| line.policy_field(*spec))
                .collect(),
        ),
        list(
            lines()
                .filter(|_| is_known)
                .map(|(line, (spec, next))| line.limit_field(*spec, *next))
                .collect(),
        ),
        told.retry_after.map(|wait| seconds_up(wait).to_string()),
    ]
}

/// Units and whole seconds: what it gives in as many full seconds as the window needs.
fn allowance(spec: Spec) -> (u64, u64) {
    let seconds = spec.window.div_ceil(1_000_000);
    (
        u64::from(spec.limit) * seconds * 1_000_000 / spec.window,
        seconds,
    )
}

fn seconds_up(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000_000).max(1)).expect("a time of our century")
}
