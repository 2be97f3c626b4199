//! The page itself: one file that asks nobody else for anything.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderValue;
use sha2::{Digest, Sha256};

pub(super) const PAGE: &str = include_str!("page.html");

/// Only this script, only this style, only our own figures, and never a text taken for a tag. The hashes are
/// taken from the page itself, so they cannot be forgotten when it changes.
pub(super) static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let script = hash(element("<script>", "</script>"));
    let style = hash(element("<style>", "</style>"));
    let policy = format!(
        "default-src 'none'; script-src '{script}'; style-src '{style}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

fn element(open: &str, close: &str) -> &'static str {
    let inner = PAGE
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

    #[test]
    fn the_policy_names_what_the_page_has_and_nothing_else() {
        let policy = POLICY.to_str().expect("text");
        assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"));
        assert!(!policy.contains("unsafe") && !policy.contains('*'));
        for (open, close) in [("<script>", "</script>"), ("<style>", "</style>")] {
            assert!(element(open, close).len() > 1000);
            assert_eq!(PAGE.matches(open).count(), 1);
            assert!(policy.contains(&hash(element(open, close))));
        }
        // What a policy of hashes forbids.
        for forbidden in [
            "style=\"",
            " onclick=",
            " onload=",
            "<script ",
            "<link rel=\"style",
        ] {
            assert!(!PAGE.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn the_page_is_small_and_needs_nobody_else() {
        assert!(PAGE.len() < 60 * 1024, "{} bytes", PAGE.len());
        let elsewhere = PAGE.replace("http://www.w3.org/2000/svg", "");
        for forbidden in ["http://", "https://", "src=\"", "@import", "url("] {
            assert!(!elsewhere.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn what_clients_name_goes_in_as_text() {
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ] {
            assert!(!PAGE.contains(forbidden), "{forbidden}");
        }
    }
}
