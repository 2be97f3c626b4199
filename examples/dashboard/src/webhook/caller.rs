//! The other side of the webhook, for tests and measurements.

use std::{collections::BTreeSet, fmt, time::SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use serde_json::json;

use super::{
    configuration::Configuration,
    event::Booking,
    receive::{COMPANY, IDEMPOTENCY_KEY, SIGNATURE},
    secret::Secret,
    signature,
};
use crate::{
    database::{Database, Queries},
    error::StartError,
    http::{Problem, QueryCount},
    seed::DAY,
};

/// A calendar service that knows one company's secret and where its
/// interviewers are free.
pub struct Caller {
    company: i64,
    candidate: i64,
    secret: Secret,
    free: Vec<(i64, i64)>,
    prefix: String,
    sent: usize,
}

impl Caller {
    /// Prepares up to `bookings` deliveries for `company`.
    ///
    /// # Errors
    ///
    /// When there is no such company.
    pub async fn new(
        database: &Database,
        company: i64,
        bookings: usize,
    ) -> Result<Self, StartError> {
        database
            .read(&QueryCount::default(), move |sql| {
                Self::load(sql, company, bookings)
            })
            .await
            .map_err(|problem| StartError::because("cannot prepare webhook calls", problem))
    }

    /// The next booking, or `None` when all are used.
    pub fn next_booking(&mut self) -> Option<Request<Bytes>> {
        let (interviewer, starts_at) = self.free.get(self.sent).copied()?;
        self.sent += 1;
        let booking = json!({
            "candidate": self.candidate,
            "interviewer": interviewer,
            "kind": "technical",
            "starts_at": starts_at,
            "minutes": MINUTES,
        });
        let key = format!("{}-{}", self.prefix, self.sent);
        Some(self.signed(&key, booking.to_string()))
    }

    /// Any body, signed as this company's.
    pub fn signed(&self, key: &str, body: impl Into<Bytes>) -> Request<Bytes> {
        let body = body.into();
        let signature = signature::sign(self.secret.bytes(), &body);
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static("/webhooks/calendar");
        let fields = [
            (header::CONTENT_TYPE, "application/json"),
            (COMPANY, &self.company.to_string()),
            (IDEMPOTENCY_KEY, key),
            (SIGNATURE, &signature),
        ];
        for (name, value) in fields {
            request
                .headers_mut()
                .extend(HeaderValue::from_str(value).ok().map(|v| (name, v)));
        }
        request
    }

    fn load(sql: &Queries<'_>, company: i64, bookings: usize) -> Result<Self, Problem> {
        let unknown = || Problem::not_found(format!("there is no company {company}"));
        let candidate = "SELECT id FROM candidates WHERE company_id = ?1 ORDER BY id LIMIT 1";
        Ok(Self {
            company,
            candidate: sql
                .first(candidate, [company], |row| row.get(0))?
                .ok_or_else(unknown)?,
            secret: Secret::load(sql, company)?.ok_or_else(unknown)?,
            free: free(sql, &Configuration::load(sql, company)?, bookings)?,
            prefix: prefix(),
            sent: 0,
        })
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("company", &self.company)
            .finish_non_exhaustive()
    }
}

/// One free time per interviewer and day, on days that can take another one.
fn free(
    sql: &Queries<'_>,
    configuration: &Configuration,
    most: usize,
) -> Result<Vec<(i64, i64)>, Problem> {
    let mut days = BTreeSet::new();
    let mut free = Vec::new();
    for (interviewer, starts_at) in configuration.free_times(MINUTES) {
        if free.len() == most {
            break;
        }
        let booking = Booking::new(interviewer, starts_at, MINUTES);
        if days.insert((interviewer, starts_at / DAY))
            && booking.same_day(sql)? < configuration.most_per_day()
        {
            free.push((interviewer, starts_at));
        }
    }
    Ok(free)
}

/// Keys of two measurements on one database must differ.
fn prefix() -> String {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("{:x}-{:x}", now.as_nanos(), std::process::id())
}

const MINUTES: i64 = 45;
