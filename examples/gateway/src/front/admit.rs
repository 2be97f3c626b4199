//! From what came to what goes on.

use std::net::IpAddr;

use http::{
    HeaderName, HeaderValue, Method,
    header::{CONTENT_LENGTH, HOST, MAX_FORWARDS},
    request::Parts,
};

use super::{fields, host, refusal::Refusal, target};
use crate::{config::Config, networks::Networks, proxy::OriginUrl, pseudonym::Pseudonym};

/// What is let in, and in which form.
#[derive(Debug)]
pub(crate) struct Admission {
    default_host: HeaderValue,
    pseudonym: Pseudonym,
    hosts: Option<Vec<String>>,
    trusted: Networks,
    largest_body: Option<u64>,
}

impl Admission {
    pub(crate) fn new(config: &Config, origin: &OriginUrl, pseudonym: Pseudonym) -> Self {
        Self {
            default_host: host::of_origin(origin.uri()),
            pseudonym,
            hosts: config.hosts.clone(),
            trusted: Networks::new(&config.trusted_proxies),
            largest_body: config.bounds.body,
        }
    }

    pub(crate) fn largest_body(&self) -> Option<u64> {
        self.largest_body
    }

    /// Brings a request into the form in which the layers and the origin see it.
    pub(super) fn admit(&self, request: &mut Parts, peer: IpAddr) -> Result<(), Refusal> {
        target::settle(request, &self.default_host)?;
        if self.pseudonym.is_in(&request.headers) {
            return Err(Refusal::Loop);
        }
        self.check_host(request)?;
        self.check_length(request)?;
        fields::settle(request, self.trusted.contain(peer));
        if request.method == Method::OPTIONS {
            forward_once_less(request)?;
        }
        Ok(())
    }

    fn check_host(&self, request: &Parts) -> Result<(), Refusal> {
        let Some(hosts) = &self.hosts else {
            return Ok(());
        };
        let asked = request.headers.get(HOST).map(HeaderValue::as_bytes);
        let is_asked =
            |host: &String| asked.is_some_and(|asked| host.as_bytes().eq_ignore_ascii_case(asked));
        if hosts.iter().any(is_asked) {
            Ok(())
        } else {
            Err(Refusal::Misdirected)
        }
    }

    /// Says so before a byte of it was read, where the client says how long it is.
    fn check_length(&self, request: &Parts) -> Result<(), Refusal> {
        let Some(largest) = self.largest_body else {
            return Ok(());
        };
        let promised = number(request, &CONTENT_LENGTH);
        if promised.is_some_and(|length| length > largest) {
            return Err(Refusal::TooLarge);
        }
        Ok(())
    }
}

/// RFC 9110 §7.6.2: who finds 0 answers, everybody else counts down.
fn forward_once_less(request: &mut Parts) -> Result<(), Refusal> {
    match number(request, &MAX_FORWARDS) {
        Some(0) => Err(Refusal::Options),
        Some(left) => {
            request.headers.insert(MAX_FORWARDS, (left - 1).into());
            Ok(())
        }
        None => Ok(()),
    }
}

fn number(request: &Parts, name: &HeaderName) -> Option<u64> {
    request.headers.get(name)?.to_str().ok()?.parse().ok()
}
