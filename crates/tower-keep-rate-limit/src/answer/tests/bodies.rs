//! What refusals say.

use serde_json::{Value, json};

use super::*;

const PROBLEMS: &str = "https://iana.org/assignments/http-problem-types";

const TOO_COSTLY: &str = "https://docs.rs/tower-keep-rate-limit/latest/tower_keep_rate_limit/enum.Refusal.html#variant.TooCostly";

fn body(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).expect("JSON")
}

#[test]
fn problems_are_of_the_types_that_the_draft_defines_or_of_our_own() {
    let violated = json!([r#"a "strict" \ one"#]);
    let told = [
        json!({
            "type": format!("{PROBLEMS}#quota-exceeded"), "status": 429, "violated-policies": violated,
            "title": "Request cannot be satisfied as assigned quota has been exceeded",
            "detail": r#"The quota is used up: a "strict" \ one; try again in 37 seconds."#,
        }),
        json!({
            "type": TOO_COSTLY, "status": 429, "violated-policies": violated,
            "title": "Request can never be satisfied as it costs more than its quota allows at once",
            "detail": r#"The request costs more than can ever be used at once: a "strict" \ one."#,
        }),
        json!({
            "type": format!("{PROBLEMS}#abnormal-usage-detected"), "status": 429, "violated-policies": violated,
            "title": "Request not satisfied due to detection of abnormal request pattern",
            "detail": "Too many requests were refused: no more are taken for now; try again in 37 seconds.",
        }),
        json!({
            "type": "about:blank", "status": 400, "title": "Bad Request",
            "detail": "The request does not say whose it is.",
        }),
        json!({
            "type": format!("{PROBLEMS}#temporary-reduced-capacity"), "status": 503,
            "title": "Request cannot be satisfied due to temporary server capacity constraints",
            "detail": "Whether the request may pass is not known; try again in 1 second.",
        }),
    ];
    for ((status, ..), told) in all().into_iter().zip(told) {
        let response = with(RefusalBody::Problem).refuse(&status, None);
        assert_eq!(header(&response, CONTENT_TYPE), "application/problem+json");
        assert_eq!(body(&response), told);
    }
}

#[test]
fn plain_bodies_say_what_and_how_long() {
    let told = [
        json!({"error": "rate limit exceeded", "retryAfter": 37}),
        json!({"error": "request too costly"}),
        json!({"error": "banned", "retryAfter": 37}),
        json!({"error": "request unidentified"}),
        json!({"error": "rate limit unavailable", "retryAfter": 1}),
    ];
    for ((status, ..), told) in all().into_iter().zip(told) {
        let response = with(RefusalBody::Json).refuse(&status, None);
        assert_eq!(header(&response, CONTENT_TYPE), "application/json");
        assert_eq!(body(&response), told);
    }
}
