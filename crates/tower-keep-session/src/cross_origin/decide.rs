//! May this request be sent from where it was sent?

use std::{collections::HashSet, fmt};

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{HOST, ORIGIN},
    request::Parts,
};

use super::{
    origin::{Host, Origin},
    refusal::Refusal,
};

/// What does not change from request to request.
#[derive(Default)]
pub(super) struct Rules {
    pub(super) trusted: HashSet<Origin>,
    pub(super) same_site: bool,
    pub(super) exempt: Vec<Box<Exempt>>,
}

type Exempt = dyn Fn(&Parts) -> bool + Send + Sync;

impl Rules {
    /// Decides, in the order of Go's `CrossOriginProtection.Check`.
    pub(super) fn decide(&self, request: &Parts) -> Result<(), Refusal> {
        if request.method.is_safe() {
            return Ok(());
        }
        let refused = match self.judge(request) {
            Ok(()) => return Ok(()),
            Err(refused) => refused,
        };
        if self.exempt.iter().any(|exempt| exempt(request)) {
            return Ok(());
        }
        Err(refused)
    }

    /// Decides by the fields alone.
    fn judge(&self, request: &Parts) -> Result<(), Refusal> {
        let site = single(&request.headers, &SEC_FETCH_SITE)?;
        let origin = single(&request.headers, &ORIGIN)?;
        match site.map(HeaderValue::as_bytes) {
            Some(b"same-origin" | b"none") => return Ok(()),
            Some(b"same-site") if self.same_site => return Ok(()),
            Some(_) if self.is_trusted(origin) => return Ok(()),
            Some(_) => return Err(Refusal::Site),
            None => {}
        }
        let Some(origin) = origin else {
            return Ok(());
        };
        let host = host(request)?;
        let parsed = parse(origin);
        let is_own = parsed
            .zip(host)
            .is_some_and(|(origin, host)| origin.is_at(&host));
        if is_own || self.is_trusted(Some(origin)) {
            return Ok(());
        }
        Err(Refusal::Origin)
    }

    fn is_trusted(&self, origin: Option<&HeaderValue>) -> bool {
        let origin = origin.and_then(parse);
        origin.is_some_and(|origin| self.trusted.contains(&origin))
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("trusted", &self.trusted)
            .field("same_site", &self.same_site)
            .field("exempt", &self.exempt.len())
            .finish()
    }
}

/// Where the request goes: what the URI says, else `Host` (RFC 9112 §3.2.2, RFC 9113 §8.3.1). Nothing if
/// that is no host.
fn host(request: &Parts) -> Result<Option<Host>, Refusal> {
    let said = single(&request.headers, &HOST)?;
    if let Some(authority) = request.uri.authority() {
        return Ok(Host::parse(authority.as_str()).ok());
    }
    let said = said.and_then(|said| said.to_str().ok());
    Ok(said.and_then(|said| Host::parse(said).ok()))
}

fn parse(origin: &HeaderValue) -> Option<Origin> {
    Origin::parse(origin.to_str().ok()?).ok()
}

/// The only value of a field; an empty one is as good as none.
fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    if values.next().is_some() {
        return Err(Refusal::Twice);
    }
    Ok(value.filter(|value| !value.is_empty()))
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
