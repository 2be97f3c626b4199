//! What is answered: the fields that responses carry, and refusals.

mod fields;
mod figures;
mod grpc;
mod legacy;
mod name;
mod percent;
mod problem;
mod retry_info;
mod told;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};

pub use self::problem::RefusalBody;
pub(crate) use self::{grpc::Grpc, name::check_name, told::Told};

use self::{fields::Fields, figures::seconds_up};
use crate::status::{RateLimitStatus, Refusal};

/// Somebody's own answer to requests that are refused.
pub(crate) type Custom = Arc<dyn Fn(&RateLimitStatus) -> Response<Bytes> + Send + Sync>;

/// How a layer tells what it decided.
#[derive(Clone)]
pub(crate) struct Answers {
    /// Whether responses carry `RateLimit-Policy` and `RateLimit`.
    pub(crate) fields: bool,
    /// Whether responses carry `X-RateLimit-Limit` and its like.
    pub(crate) legacy: bool,
    /// What a refusal says.
    pub(crate) body: RefusalBody,
    /// What is answered instead. Not to gRPC, whose clients would not understand it.
    pub(crate) custom: Option<Custom>,
}

impl Answers {
    /// What a response will say of how the policies stand.
    pub(crate) fn remarks(&self, status: &RateLimitStatus) -> Remarks {
        Remarks {
            fields: match self.fields {
                true => Fields::of(status),
                false => Fields::default(),
            },
            legacy: self.legacy.then(|| Box::new(status.clone())),
        }
    }

    /// The answer to a request that is refused; to a gRPC call, in its way.
    pub(crate) fn refuse(&self, status: &RateLimitStatus, grpc: Option<Grpc>) -> Response<Bytes> {
        let why = reason(status);
        let wait = wait(status);
        let mut response = match (grpc, &self.custom) {
            (Some(grpc), _) => grpc.refusal(status, why, wait),
            (None, Some(custom)) => return self.completed(custom(status), status, wait),
            (None, None) => self.told(status, why, wait),
        };
        let headers = response.headers_mut();
        if let Some(wait) = wait {
            headers.insert(RETRY_AFTER, number(seconds_up(wait)));
        }
        headers.insert(CACHE_CONTROL, NO_STORE);
        self.remarks(status).add_to(headers);
        response
    }

    fn told(
        &self,
        status: &RateLimitStatus,
        why: Refusal,
        wait: Option<Duration>,
    ) -> Response<Bytes> {
        let body = self.body.written(status, why, wait.map(seconds_up));
        let mut response = Response::new(body);
        *response.status_mut() = code(why);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.body.media_type());
        response
    }

    /// What a refusal must say is added to somebody's own, where he does not say it himself.
    fn completed(
        &self,
        mut response: Response<Bytes>,
        status: &RateLimitStatus,
        wait: Option<Duration>,
    ) -> Response<Bytes> {
        let mut ours = HeaderMap::new();
        if self.fields {
            Fields::of(status).append(&mut ours);
        }
        ours.insert(CACHE_CONTROL, NO_STORE);
        if let Some(wait) = wait {
            ours.insert(RETRY_AFTER, number(seconds_up(wait)));
        }
        let headers = response.headers_mut();
        for (name, value) in &ours {
            if !headers.contains_key(name) {
                headers.insert(name.clone(), value.clone());
            }
        }
        if self.legacy && !legacy::is_told(headers) {
            legacy::tighten(status, headers);
        }
        response
    }
}

/// What a response says of how the policies stand.
#[derive(Debug)]
pub(crate) struct Remarks {
    fields: Fields,
    /// What these say depends on what the response says already.
    legacy: Option<Box<RateLimitStatus>>,
}

impl Remarks {
    pub(crate) fn add_to(self, headers: &mut HeaderMap) {
        self.fields.append(headers);
        if let Some(status) = self.legacy {
            legacy::tighten(&status, headers);
        }
    }
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            fields: true,
            legacy: false,
            body: RefusalBody::default(),
            custom: None,
        }
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers")
            .field("fields", &self.fields)
            .field("legacy", &self.legacy)
            .field("body", &self.body)
            .field("custom", &self.custom.is_some())
            .finish()
    }
}

fn code(why: Refusal) -> StatusCode {
    match why {
        Refusal::Exceeded | Refusal::TooCostly | Refusal::Banned => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Unidentified => StatusCode::BAD_REQUEST,
        Refusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Why it is refused. Whoever refuses what has passed has used something up.
fn reason(status: &RateLimitStatus) -> Refusal {
    status.refusal.unwrap_or(Refusal::Exceeded)
}

/// How long to wait. Nobody knows when the store answers again: soon, one hopes.
fn wait(status: &RateLimitStatus) -> Option<Duration> {
    let unknown = (reason(status) == Refusal::Unavailable).then_some(Duration::from_secs(1));
    status.retry_after().or(unknown)
}

/// A number, in one allocation.
fn number(number: u64) -> HeaderValue {
    let mut buffer = itoa::Buffer::new();
    HeaderValue::from_str(buffer.format(number)).expect("digits are visible ASCII")
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
