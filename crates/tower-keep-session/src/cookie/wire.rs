//! The cookie in requests and responses.

use std::time::Duration;

use ::cookie::{Cookie, CookieJar, SameSite as Site, time};
use http::{HeaderMap, HeaderValue, header::COOKIE};

use super::{SameSite, SessionCookie};
use crate::ticket::Ticket;

impl SessionCookie {
    /// What a request says. Two cookies of this name are one too many, whatever they hold: somebody planted
    /// one. Cookies of other names may hold anything.
    pub(crate) fn find(&self, headers: &HeaderMap) -> Sent {
        let lines = headers.get_all(COOKIE).iter();
        let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
        let mut values = pairs.filter_map(|pair| {
            let (name, value) = split(pair.trim_ascii())?;
            (name == self.name.as_bytes()).then_some(value)
        });
        match (values.next(), values.next()) {
            (None, _) => Sent::Nothing,
            (Some(value), None) => self.open(value).map_or(Sent::Nothing, Sent::Ticket),
            (Some(_), Some(_)) => Sent::Ambiguous,
        }
    }

    /// The line that gives a client its ticket; without an age if it is not to be remembered.
    pub(crate) fn set(&self, ticket: &Ticket, lasts: Duration) -> HeaderValue {
        let mut cookie = self.cookie(ticket.text(), ticket.is_remembered.then_some(lasts));
        if let Some(key) = self.keys.first() {
            let mut jar = CookieJar::new();
            if self.is_encrypted {
                jar.private_mut(key).add(cookie.clone());
            } else {
                jar.signed_mut(key).add(cookie.clone());
            }
            if let Some(closed) = jar.get(&self.name) {
                cookie.set_value(closed.value().to_owned());
            }
        }
        line(&cookie)
    }

    /// The line that takes it away again: the same but for value and age, or a browser would not find it.
    pub(crate) fn removal(&self) -> HeaderValue {
        line(&self.cookie(String::new(), Some(Duration::ZERO)))
    }

    fn cookie(&self, value: String, lasts: Option<Duration>) -> Cookie<'static> {
        let mut cookie = Cookie::new(self.name.clone(), value);
        cookie.set_path(self.path.clone());
        cookie.set_http_only(true);
        cookie.set_secure(self.is_secure);
        cookie.set_same_site(match self.same_site {
            SameSite::Strict => Site::Strict,
            SameSite::Lax => Site::Lax,
            SameSite::None => Site::None,
        });
        if let Some(domain) = &self.domain {
            cookie.set_domain(domain.clone());
        }
        if self.is_partitioned {
            cookie.set_partitioned(true);
        }
        if let Some(lasts) = lasts {
            let seconds = i64::try_from(lasts.as_secs()).unwrap_or(i64::MAX);
            cookie.set_max_age(time::Duration::seconds(seconds));
        }
        cookie
    }

    /// The ticket in a cookie that a client sent.
    fn open(&self, value: &[u8]) -> Option<Ticket> {
        if self.keys.is_empty() || value.len() > LONGEST {
            return Ticket::parse(value);
        }
        let value = std::str::from_utf8(value).ok()?;
        let cookie = Cookie::new(self.name.clone(), value.to_owned());
        let opened = self.keys.iter().find_map(|key| {
            let mut jar = CookieJar::new();
            jar.add_original(cookie.clone());
            if self.is_encrypted {
                jar.private(key).get(&self.name)
            } else {
                jar.signed(key).get(&self.name)
            }
        })?;
        Ticket::parse(opened.value().as_bytes())
    }
}

/// What a request says of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Nothing,
    Ticket(Ticket),
    Ambiguous,
}

/// Not for logs, nor for tables of compressed fields.
fn line(cookie: &Cookie<'_>) -> HeaderValue {
    let mut line = HeaderValue::try_from(cookie.to_string())
        .expect("names and attributes were checked, values are base64");
    line.set_sensitive(true);
    line
}

/// Name and value of a cookie.
fn split(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = pair.iter().position(|byte| *byte == b'=')?;
    Some((&pair[..at], &pair[at + 1..]))
}

/// An encrypted ticket is shorter.
const LONGEST: usize = 512;
