//! The cookie that carries a ticket.

use std::fmt;

use ::cookie::Key;
use tower_keep_store::ConfigError;

mod wire;

pub(crate) use self::wire::Sent;

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
    /// Keys were asked for: none at all would be none by mistake.
    needs_keys: bool,
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
        self.needs_keys = true;
        for key in keys {
            match Key::try_from(key.as_ref()) {
                Ok(key) => self.keys.push(key),
                Err(_) => self.fault = Some(ConfigError::new("signed_with: a key has 64 bytes")),
            }
        }
        self
    }

    /// Encrypts it instead of signing it.
    pub fn encrypted(mut self) -> Self {
        self.is_encrypted = true;
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
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
        if (self.is_encrypted || self.needs_keys) && self.keys.is_empty() {
            return fault("signing and encryption need a key");
        }
        Ok(())
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
            needs_keys: false,
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

/// A character of a token (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
