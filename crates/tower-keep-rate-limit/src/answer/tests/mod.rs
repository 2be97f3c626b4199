//! Refusals and notes as a whole.

mod bodies;
mod custom;

use std::time::Duration;

use http::header::AsHeaderName;
use proptest::prelude::*;

use super::*;
use crate::{quota::Quota, status::Standing};

/// A request refused by one policy, of two.
fn refused(why: Refusal, wait: Duration) -> RateLimitStatus {
    let strict = samples::policy(r#"a "strict" \ one"#, Quota::per_minute(100), 0);
    let mut strict = samples::refusing(strict, wait);
    if why == Refusal::TooCostly {
        strict.standing = Standing::Never;
    }
    let loose = samples::policy("loose", Quota::per_hour(1000), 900);
    samples::refused(why, [strict, loose])
}

/// One refused before any policy was asked.
fn unasked(why: Refusal) -> RateLimitStatus {
    samples::refused(why, [])
}

fn all() -> [(RateLimitStatus, u16, Option<u64>); 6] {
    let wait = Duration::from_millis(36_400);
    [
        (refused(Refusal::Exceeded, wait), 429, Some(37)),
        (refused(Refusal::TooCostly, wait), 429, None),
        (refused(Refusal::Banned, wait), 429, Some(37)),
        (unasked(Refusal::Unidentified), 400, None),
        (unasked(Refusal::Unavailable), 503, Some(1)),
        (refused(Refusal::Unavailable, wait), 503, Some(37)),
    ]
}

fn with(body: RefusalBody) -> Answers {
    Answers {
        body,
        ..Answers::default()
    }
}

fn header(response: &Response<Bytes>, name: impl AsHeaderName) -> String {
    samples::lines(response.headers(), name).join(" | ")
}

#[test]
fn every_refusal_has_its_status_and_its_time_to_wait() {
    for (status, code, wait) in all() {
        for body in [RefusalBody::Problem, RefusalBody::Json] {
            let response = with(body).refuse(&status, None);
            assert_eq!(response.status(), code);
            assert_eq!(header(&response, CACHE_CONTROL), "no-store");
            let wait = wait.map_or(String::new(), |wait| wait.to_string());
            assert_eq!(header(&response, RETRY_AFTER), wait);
            let has = |name| response.headers().contains_key(name);
            let is_asked = !status.policies.is_empty();
            assert_eq!(has("ratelimit-policy"), is_asked);
            let is_known = status.refusal != Some(Refusal::TooCostly);
            assert_eq!(has("ratelimit"), is_asked && is_known);
        }
    }
}

#[test]
fn grpc_calls_are_refused_in_their_way_whatever_the_style() {
    let mut answers = with(RefusalBody::Json);
    answers.custom = Some(Arc::new(|_| unreachable!("it is for HTTP")));
    let codes = ["8", "8", "8", "3", "14", "14"];
    for ((status, _, wait), code) in all().into_iter().zip(codes) {
        let response = answers.refuse(&status, Some(Grpc::Plain));
        assert_eq!(response.status(), 200);
        assert!(response.body().is_empty());
        assert_eq!(samples::lines(response.headers(), "grpc-status"), [code]);
        let details = response.headers().contains_key("grpc-status-details-bin");
        assert_eq!(details, wait.is_some());
        let wait = wait.map_or(String::new(), |wait| wait.to_string());
        assert_eq!(header(&response, RETRY_AFTER), wait);
        assert_eq!(header(&response, CACHE_CONTROL), "no-store");
    }
}

#[test]
fn what_is_noted_can_be_chosen() {
    let status = samples::passed([samples::policy("a", Quota::per_second(9), 3)]);
    for (fields, legacy) in [(false, false), (false, true), (true, false), (true, true)] {
        let answers = Answers {
            fields,
            legacy,
            ..Answers::default()
        };
        let mut headers = HeaderMap::new();
        answers.remarks(&status).add_to(&mut headers);
        assert_eq!(headers.contains_key("ratelimit"), fields);
        assert_eq!(headers.contains_key("ratelimit-policy"), fields);
        assert_eq!(headers.contains_key("x-ratelimit-limit"), legacy);
    }
}

proptest! {
    #[test]
    fn retry_after_is_never_less_than_the_true_wait(micros in 0..1_u64 << 45) {
        let wait = Duration::from_micros(micros);
        let response = Answers::default().refuse(&refused(Refusal::Exceeded, wait), None);
        let told: u64 = header(&response, RETRY_AFTER).parse().expect("a number");
        prop_assert!(told >= 1 && Duration::from_secs(told) >= wait);
        let line = header(&response, "ratelimit");
        prop_assert_eq!(samples::parsed(&line)[0].figures["t"], i64::try_from(told).expect("few"));
    }
}
