//! What a user's list of sessions calls one of them.

use std::{fmt, sync::Arc};

use http::{HeaderValue, header::USER_AGENT, request::Parts};

/// Makes labels of requests.
#[derive(Clone)]
pub(crate) enum Labels {
    UserAgent,
    By(Arc<dyn Fn(&Parts) -> String + Send + Sync>),
}

/// What a request would be called if somebody logged in with it; text only then.
pub(crate) enum Label {
    Field(Option<HeaderValue>),
    Text(String),
}

impl Labels {
    pub(crate) fn of(&self, head: &Parts) -> Label {
        match self {
            Self::UserAgent => Label::Field(head.headers.get(USER_AGENT).cloned()),
            Self::By(label) => Label::Text(label(head)),
        }
    }
}

impl Label {
    pub(crate) fn text(&self) -> String {
        let text = match self {
            Self::Field(field) => field.as_ref().and_then(|field| field.to_str().ok()),
            Self::Text(text) => Some(text.as_str()),
        };
        text.unwrap_or_default().chars().take(LONGEST).collect()
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Label")
    }
}

/// Characters of a label.
const LONGEST: usize = 200;
