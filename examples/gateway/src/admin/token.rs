//! Who may.

use std::{fmt, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, StatusCode,
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
    fn is_said_in(&self, headers: &HeaderMap) -> bool {
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return false;
        };
        let line = line.as_bytes();
        let Some((scheme, said)) = line.split_at_checked(BEARER.len()) else {
            return false;
        };
        let digest: [u8; 32] = Sha256::digest(said.trim_ascii_start()).into();
        scheme.eq_ignore_ascii_case(BEARER) && bool::from(digest.ct_eq(&self.0))
    }
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
    if token.is_said_in(request.headers()) {
        next.run(request).await
    } else {
        (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response()
    }
}

const BEARER: &[u8] = b"Bearer ";

const SHORTEST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_once_will_do() {
        let token = Token::new("0123456789abcdef").expect("long enough");
        let said = |lines: &[&'static str]| {
            let lines = lines
                .iter()
                .map(|line| (AUTHORIZATION, line.parse().expect("a value")));
            let mut headers = HeaderMap::new();
            lines.for_each(|(name, value)| {
                headers.append(name, value);
            });
            token.is_said_in(&headers)
        };
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
        assert!(Token::new("short").is_err());
    }
}
