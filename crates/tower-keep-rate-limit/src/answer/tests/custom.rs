//! Refusals that somebody writes himself.

use super::*;

#[test]
fn somebodys_own_answer_gets_what_it_lacks() {
    let answers = Answers {
        custom: Some(Arc::new(|_| {
            let mut response = Response::new(Bytes::from_static(b"slow down"));
            *response.status_mut() = StatusCode::IM_A_TEAPOT;
            response
        })),
        ..Answers::default()
    };
    let response = answers.refuse(&refused(Refusal::Exceeded, Duration::from_secs(9)), None);
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(response.body(), "slow down");
    assert_eq!(header(&response, RETRY_AFTER), "9");
    assert_eq!(header(&response, CACHE_CONTROL), "no-store");
    assert!(response.headers().contains_key("ratelimit-policy"));
}

#[test]
fn somebodys_own_answer_keeps_what_it_has() {
    let own = [
        ("retry-after", "60"),
        ("cache-control", "private"),
        ("ratelimit", r#""own";r=0"#),
    ];
    let answers = Answers {
        custom: Some(Arc::new(move |_| {
            let mut response = Response::default();
            for (name, value) in own {
                response
                    .headers_mut()
                    .insert(name, HeaderValue::from_static(value));
            }
            response
        })),
        ..Answers::default()
    };
    let response = answers.refuse(&refused(Refusal::Exceeded, Duration::from_secs(9)), None);
    for (name, value) in own {
        assert_eq!(samples::lines(response.headers(), name), [value]);
    }
    assert!(response.headers().contains_key("ratelimit-policy"));
}

#[test]
fn figures_of_different_quotas_are_not_mixed() {
    let answers = Answers {
        legacy: true,
        custom: Some(Arc::new(|_| {
            let mut response = Response::default();
            let headers = response.headers_mut();
            headers.insert("x-ratelimit-limit", HeaderValue::from_static("5000"));
            response
        })),
        ..Answers::default()
    };
    let response = answers.refuse(&refused(Refusal::Exceeded, Duration::from_secs(9)), None);
    assert_eq!(header(&response, "x-ratelimit-limit"), "5000");
    assert_eq!(header(&response, "x-ratelimit-remaining"), "");
}
