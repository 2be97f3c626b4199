//! Who logs in, how surely, and for how long.

use std::{fmt, time::Duration};

use crate::lifetimes::Lifetimes;

/// A login with what may differ from one to the next: "remember me", say. See
/// [`Session::login_with`](crate::Session::login_with).
#[derive(Clone)]
#[must_use]
pub struct Login {
    pub(crate) user: String,
    pub(crate) level: u8,
    pub(crate) is_remembered: Option<bool>,
    absolute: Option<Duration>,
}

/// On what terms a session begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Whether the client keeps its ticket when it is closed.
    pub(crate) is_remembered: bool,
    pub(crate) lifetimes: Lifetimes,
}

impl Login {
    /// Of this user, this surely: what [`Session::login`](crate::Session::login) does.
    pub fn new(user: impl Into<String>, level: u8) -> Self {
        Self {
            user: user.into(),
            level,
            is_remembered: None,
            absolute: None,
        }
    }

    /// Whether the browser keeps the cookie when it is closed ("remember me"). If not, the cookie has no `Max-Age`,
    /// after this login and after each rotation, and the session ends after 24 hours in any case, or what
    /// [`absolute_timeout`](Self::absolute_timeout) says: browsers that open their last tabs again keep such cookies
    /// too, so the server's end is the one that counts. Default: as the session before; one that nobody
    /// was logged in to is remembered.
    pub fn remember(mut self, remembers: bool) -> Self {
        self.is_remembered = Some(remembers);
        self
    }

    /// How long this session lives at the most; at least a second, and no longer than the layer's
    /// [own](crate::SessionLayerBuilder::absolute_timeout). Default: that, or 24 hours if it is not remembered.
    pub fn absolute_timeout(mut self, timeout: Duration) -> Self {
        self.absolute = Some(timeout);
        self
    }

    /// The terms, by the layer's, where the session before was remembered or not.
    pub(crate) fn terms(&self, lifetimes: &Lifetimes, was_remembered: bool) -> Terms {
        let is_remembered = self.is_remembered.unwrap_or(was_remembered);
        let usual = if is_remembered {
            lifetimes.absolute
        } else {
            NOT_REMEMBERED
        };
        let asked = self.absolute.unwrap_or(usual).max(SHORTEST);
        Terms {
            is_remembered,
            lifetimes: Lifetimes {
                absolute: asked.min(lifetimes.absolute),
                ..*lifetimes
            },
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("level", &self.level)
            .field("is_remembered", &self.is_remembered)
            .field("absolute", &self.absolute)
            .finish_non_exhaustive()
    }
}

/// How long a session lives at the most that its browser is to forget.
const NOT_REMEMBERED: Duration = Duration::from_secs(24 * 3600);

const SHORTEST: Duration = Duration::from_secs(1);
