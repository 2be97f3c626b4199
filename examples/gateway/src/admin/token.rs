//! Who may.

use std::{borrow::Cow, fmt, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{AppendHeaders, IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, Method, StatusCode,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::StartError;

/// What whoever asks has to know. Only a digest is kept.
pub(super) struct Token([u8; 32]);

impl Token {
    pub(super) fn new(token: &str) -> Result<Self, StartError> {
        if token.len() < SHORTEST {
            let why = format!("admin.token: at least {SHORTEST} characters, which nobody guesses");
            return Err(StartError::new(why));
        }
        Ok(Self(Sha256::digest(token).into()))
    }

    /// In the same time, however much of it is right: digests of one length are compared, all of them.
    fn is_said_in(&self, headers: &HeaderMap, method: &Method) -> bool {
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return false;
        };
        let Some(said) = said(line.as_bytes(), method) else {
            return false;
        };
        let digest: [u8; 32] = Sha256::digest(said).into();
        digest.ct_eq(&self.0).into()
    }
}

/// What is said in place of the token.
fn said<'a>(line: &'a [u8], method: &Method) -> Option<Cow<'a, [u8]>> {
    let at = line.iter().position(|byte| *byte == b' ')?;
    let (scheme, said) = (&line[..at], line[at..].trim_ascii_start());
    if scheme.eq_ignore_ascii_case(b"Bearer") {
        return Some(said.into());
    }
    if !scheme.eq_ignore_ascii_case(b"Basic") || !is_only_looking(method) {
        return None;
    }
    let mut pair = STANDARD.decode(said).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair.split_off(colon + 1).into())
}

/// A browser says a password with each request to this address, whichever site makes it ask: that must change
/// nothing.
fn is_only_looking(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Lets nobody pass without it.
pub(super) async fn check(
    State(token): State<Arc<Token>>,
    request: Request,
    next: Next,
) -> Response {
    if token.is_said_in(request.headers(), request.method()) {
        return next.run(request).await;
    }
    let basic = is_only_looking(request.method()).then_some((WWW_AUTHENTICATE, BASIC));
    let challenges = [(WWW_AUTHENTICATE, "Bearer")].into_iter().chain(basic);
    (StatusCode::UNAUTHORIZED, AppendHeaders(challenges)).into_response()
}

const BASIC: &str = "Basic realm=\"gateway\", charset=\"UTF-8\"";

const SHORTEST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_once_will_do() {
        let token = Token::new("0123456789abcdef").expect("long enough");
        let said_to = |method: Method, lines: &[&'static str]| {
            let lines = lines
                .iter()
                .map(|line| (AUTHORIZATION, line.parse().expect("a value")));
            let mut headers = HeaderMap::new();
            lines.for_each(|(name, value)| {
                headers.append(name, value);
            });
            token.is_said_in(&headers, &method)
        };
        let said = |lines: &[&'static str]| said_to(Method::GET, lines);
        assert!(said(&["Bearer 0123456789abcdef"]));
        assert!(said(&["bearer  0123456789abcdef"]));
        assert!(!said(&[]));
        assert!(!said(&["Bearer"]));
        assert!(!said(&["Bearer 0123456789abcde"]));
        assert!(!said(&["Basic  0123456789abcdef"]));
        assert!(!said(&[
            "Bearer 0123456789abcdef",
            "Bearer 0123456789abcdef"
        ]));
        // `operator:0123456789abcdef`, and the same without its last letter, and with a colon too few.
        let password = "Basic b3BlcmF0b3I6MDEyMzQ1Njc4OWFiY2RlZg==";
        assert!(said(&[password]) && said_to(Method::HEAD, &[password]));
        assert!(!said_to(Method::POST, &[password]));
        assert!(!said(&["Basic b3BlcmF0b3I6MDEyMzQ1Njc4OWFiY2Rl"]));
        assert!(!said(&["Basic MDEyMzQ1Njc4OWFiY2RlZg=="]));
        assert!(Token::new("short").is_err());
    }
}
