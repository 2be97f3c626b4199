//! The endpoint: authenticate, recognise a repeat, check, insert.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;

use super::{
    configuration::Configuration,
    delivery::{Answer, Delivery},
    event::Booking,
    secret::Secret,
    signature,
};
use crate::{
    app::AppState,
    database::Queries,
    http::{Bypass, Problem, QueryCount, RawBody, json},
};

/// Which company's calendar speaks.
pub(super) const COMPANY: HeaderName = HeaderName::from_static("x-company");

/// `sha256=<hex>` of the HMAC over the raw body.
pub(super) const SIGNATURE: HeaderName = HeaderName::from_static("x-signature");

/// The sender's name for this delivery; a repeat gets the first answer.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Nothing of the body is read, and nothing expensive is done, before the
/// signature has been checked.
pub(crate) async fn receive(
    State(app): State<AppState>,
    bypass: Bypass,
    count: QueryCount,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Answer, Problem> {
    let company = company(&headers)?;
    let delivery = Delivery::new(company, idempotency_key(&headers)?, &body);
    authenticate(&app, &count, company, &headers, &body).await?;
    let booking: Booking = json(&body)?;
    let load = || {
        app.database
            .read(&count, move |sql| Configuration::load(sql, company))
    };
    let configuration = if bypass.is_asked() {
        load().await?.into()
    } else {
        app.caches.configuration(company, load).await?
    };
    let work = move |sql: &Queries<'_>| book(sql, &delivery, &booking, &configuration);
    app.database.write(&count, work).await
}

/// An unknown company and a wrong signature get the same answer.
async fn authenticate(
    app: &AppState,
    count: &QueryCount,
    company: i64,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), Problem> {
    let secret = app
        .database
        .read(count, move |sql| Secret::load(sql, company))
        .await?;
    let claimed = headers
        .get(SIGNATURE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if secret.is_some_and(|secret| signature::is_valid(secret.bytes(), body, claimed)) {
        Ok(())
    } else {
        Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "the signature is missing or wrong",
        ))
    }
}

/// All in one transaction, so that of two deliveries at once one sees the other.
fn book(
    sql: &Queries<'_>,
    delivery: &Delivery,
    booking: &Booking,
    configuration: &Configuration,
) -> Result<Answer, Problem> {
    if let Some(answer) = delivery.answered(sql)? {
        return Ok(answer);
    }
    configuration.check(booking)?;
    booking.check_candidate(sql, delivery.company)?;
    configuration.check_day(booking.same_day(sql)?)?;
    let id = booking.insert(sql)?;
    delivery.answer(
        sql,
        StatusCode::CREATED.as_u16(),
        &json!({ "interview": id }),
    )
}

fn company(headers: &HeaderMap) -> Result<i64, Problem> {
    headers
        .get(COMPANY)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .ok_or_else(|| Problem::bad_request("the x-company field must be a number"))
}

fn idempotency_key(headers: &HeaderMap) -> Result<String, Problem> {
    headers
        .get(IDEMPOTENCY_KEY)
        .and_then(|value| value.to_str().ok())
        .filter(|key| (1..=LONGEST_KEY).contains(&key.len()))
        .map(str::to_owned)
        .ok_or_else(|| {
            Problem::bad_request(format!(
                "the idempotency-key field must have 1 to {LONGEST_KEY} characters"
            ))
        })
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let json = HeaderValue::from_static("application/json");
        let mut response = (status, [(header::CONTENT_TYPE, json)], self.body).into_response();
        if self.repeated {
            response
                .headers_mut()
                .insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

const LONGEST_KEY: usize = 128;
