//! The cookie that carries a ticket.

use std::{fmt, time::Duration};

use ::cookie::{Cookie, CookieJar, Key, SameSite as Site, time};
use http::{HeaderMap, HeaderValue, header::COOKIE};

use tower_keep_store::ConfigError;

use crate::ticket::Ticket;

/// How the session's cookie looks.
///
/// Default: `__Host-id`, `Secure`, `HttpOnly`, `SameSite=Lax`, `Path=/`, no `Domain`: sent to this host only, and
/// set by this host only (RFC 6265bis §4.1.3.2). Browsers take `http://localhost` for secure too.
#[derive(Clone)]
#[must_use]
pub struct SessionCookie {
    name: String,
    same_site: SameSite,
    domain: Option<String>,
    path: String,
    is_secure: bool,
    is_partitioned: bool,
    keys: Vec<Key>,
    is_encrypted: bool,
    fault: Option<ConfigError>,
}

/// With which requests from other sites a browser sends the cookie (RFC 6265bis §5.6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// With none.
    Strict,
    /// With those that navigate to this site.
    #[default]
    Lax,
    /// With all of them.
    None,
}

impl SessionCookie {
    /// The default, under another name.
    ///
    /// `__Host-` and `__Secure-` are promises that browsers check: a cookie that breaks them is found when
    /// the layer is built.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// With which requests from other sites it is sent. Default: [`SameSite::Lax`].
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Sends it to all hosts of a domain: each of them can then set it, and see it. Not with `__Host-`.
    pub fn allow_domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Sends it with requests to this path only. Not with `__Host-`. Default: `/`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Sends it over connections that are not encrypted too, where everybody on the way sees it. Not with
    /// `__Host-`, `__Secure-` or [`SameSite::None`].
    pub fn danger_insecure(mut self) -> Self {
        self.is_secure = false;
        self
    }

    /// Keeps a jar for each top-level site (CHIPS). Default: no.
    pub fn partitioned(mut self) -> Self {
        self.is_partitioned = true;
        self
    }

    /// Signs it with the first of these keys (64 random bytes each), and believes what any of them has
    /// signed. The ticket needs no signature to be safe; with one, made-up tickets do not get as far as the
    /// store.
    pub fn signed_with<K: AsRef<[u8]>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        for key in keys {
            match Key::try_from(key.as_ref()) {
                Ok(key) => self.keys.push(key),
                Err(_) => self.fault = Some(ConfigError::new("a cookie's key has 64 bytes")),
            }
        }
        self
    }

    /// Encrypts it instead of signing it.
    pub fn encrypted(mut self) -> Self {
        self.is_encrypted = true;
        self
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let fault = |message: &str| {
            Err(ConfigError::new(format!(
                "cookie {:?}: {message}",
                self.name
            )))
        };
        let has_prefix = |prefix: &str| {
            let start = self.name.get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let is_host = has_prefix("__Host-");
        if self.name.is_empty() || !self.name.bytes().all(is_token) {
            return fault("a name has letters, digits, and !#$%&'*+-.^_`|~");
        }
        if is_host && (self.domain.is_some() || self.path != "/") {
            return fault("__Host- allows no domain, and no path but /");
        }
        if !self.is_secure && (is_host || has_prefix("__Secure-")) {
            return fault("its prefix promises that it is secure");
        }
        if !self.is_secure && (self.same_site == SameSite::None || self.is_partitioned) {
            return fault("SameSite=None and Partitioned have to be secure");
        }
        let is_text = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b';')
        };
        if !self.path.starts_with('/') || !is_text(&self.path) {
            return fault("a path begins with / and has no spaces and semicolons");
        }
        if self
            .domain
            .as_deref()
            .is_some_and(|domain| domain.is_empty() || !is_text(domain))
        {
            return fault("a domain has no spaces and semicolons");
        }
        if self.is_encrypted && self.keys.is_empty() {
            return fault("encryption needs a key");
        }
        Ok(())
    }

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

    /// The line that gives a client its ticket.
    pub(crate) fn set(&self, ticket: &Ticket, lasts: Duration) -> HeaderValue {
        let mut cookie = self.cookie(ticket.text(), lasts);
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
        line(&self.cookie(String::new(), Duration::ZERO))
    }

    fn cookie(&self, value: String, lasts: Duration) -> Cookie<'static> {
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
        let seconds = i64::try_from(lasts.as_secs()).unwrap_or(i64::MAX);
        cookie.set_max_age(time::Duration::seconds(seconds));
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

impl Default for SessionCookie {
    fn default() -> Self {
        Self {
            name: "__Host-id".to_owned(),
            same_site: SameSite::Lax,
            domain: None,
            path: "/".to_owned(),
            is_secure: true,
            is_partitioned: false,
            keys: Vec::new(),
            is_encrypted: false,
            fault: None,
        }
    }
}

impl fmt::Debug for SessionCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCookie")
            .field("name", &self.name)
            .field("same_site", &self.same_site)
            .field("domain", &self.domain)
            .field("path", &self.path)
            .field("is_secure", &self.is_secure)
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
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

/// A character of a token (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// An encrypted ticket is shorter.
const LONGEST: usize = 512;
