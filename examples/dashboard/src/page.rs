//! `GET /`: the page, one file without any other origin.

use std::sync::LazyLock;

use axum::response::{Html, IntoResponse};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, header};
use sha2::{Digest, Sha256};

pub(crate) async fn show() -> impl IntoResponse {
    (headers(), Html(PAGE))
}

/// Another page in the same style, without a script.
pub(crate) fn document(title: &str, body: &str) -> impl IntoResponse + use<> {
    let style = element(PAGE, "<style>", "</style>");
    let page = format!(
        r#"<!doctype html><html lang="en"><head><meta charset="utf-8">
           <meta name="viewport" content="width=device-width, initial-scale=1">
           <title>{title}</title><link rel="icon" href="data:,"><style>{style}</style></head>
           <body>{body}</body></html>"#
    );
    (headers(), Html(page))
}

fn headers() -> [(HeaderName, HeaderValue); 4] {
    [
        (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ]
}

const PAGE: &str = include_str!("page.html");

/// Only this script, only this style, only our own API. The hashes are taken
/// from the page itself, so they cannot be forgotten when it changes.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let script = hash(element(PAGE, "<script>", "</script>"));
    let style = hash(element(PAGE, "<style>", "</style>"));
    let policy = format!(
        "default-src 'none'; script-src '{script}'; style-src '{style}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

fn element<'a>(page: &'a str, open: &str, close: &str) -> &'a str {
    let inner = page
        .split_once(open)
        .and_then(|(_, rest)| rest.split_once(close));
    inner.map_or("", |(inner, _)| inner)
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::accounts::DEMO;

    #[test]
    fn the_policy_names_both_hashes() {
        let policy = POLICY.to_str().unwrap();
        assert!(policy.contains("script-src 'sha256-") && policy.contains("style-src 'sha256-"));
        assert_ne!(hash(element(PAGE, "<script>", "</script>")), hash(""));
        assert_ne!(hash(element(PAGE, "<style>", "</style>")), hash(""));
    }

    #[test]
    fn the_page_shows_the_demonstration_accounts() {
        for (_, email, password) in DEMO {
            let words = format!("{email} with password {password}");
            assert!(PAGE.replace("\n         ", "").contains(&words), "{words}");
        }
    }

    #[test]
    fn the_page_needs_no_other_origin() {
        assert!(!PAGE.contains("http://") && !PAGE.contains("https://"));
        assert!(
            !PAGE.contains("style=\"") && !PAGE.contains("onclick="),
            "the policy forbids them"
        );
        assert!(!PAGE.contains("innerHTML"), "data goes in as text");
    }
}
