//! What a response is stored under.

use std::{fmt, sync::Arc};

use http::{HeaderMap, Uri, header::HOST, request::Parts};
use tower_keep_store::{Target, push_part};

/// How a query is part of the key.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct QueryRules {
    only: Option<Arc<[Box<str>]>>,
    ignore: Arc<[Box<str>]>,
    sort: bool,
}

impl QueryRules {
    /// The whole query, as it is: the default.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only these parameters. The handler must not look at any other.
    pub fn only<N: Into<Box<str>>>(names: impl IntoIterator<Item = N>) -> Self {
        Self {
            only: Some(names.into_iter().map(Into::into).collect()),
            ..Self::default()
        }
    }

    /// Not these parameters; `utm_*` means all that begin so. The handler must not look at them.
    pub fn ignore<N: Into<Box<str>>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(Into::into);
        self.ignore = self.ignore.iter().cloned().chain(names).collect();
        self
    }

    /// Not the parameters by which advertisers follow visitors: `utm_*`, `gclid`, `fbclid` and their
    /// kin.
    pub fn ignore_tracking(self) -> Self {
        self.ignore([
            "utm_*", "gclid", "gbraid", "wbraid", "dclid", "fbclid", "msclkid", "ttclid", "twclid",
            "mc_cid", "mc_eid", "igshid", "_ga", "_gl",
        ])
    }

    /// Parameters in another order are the same query. The handler must not care for their order.
    pub fn sort(mut self) -> Self {
        self.sort = true;
        self
    }

    fn write(&self, query: &str, material: &mut Vec<u8>) {
        if self.only.is_none() && self.ignore.is_empty() && !self.sort {
            push_part(material, query.as_bytes());
            return;
        }
        let mut parameters: Vec<_> = query.split('&').filter(|p| self.is_kept(p)).collect();
        if self.sort {
            // Stable by name: the order of one parameter's values stays.
            parameters.sort_by_key(|parameter| name_of(parameter));
        }
        push_part(material, parameters.join("&").as_bytes());
    }

    fn is_kept(&self, parameter: &str) -> bool {
        let name = name_of(parameter);
        let listed = |rules: &[Box<str>]| rules.iter().any(|rule| matches(rule, name));
        self.only.as_deref().is_none_or(listed) && !listed(&self.ignore)
    }
}

fn name_of(parameter: &str) -> &str {
    parameter
        .split_once('=')
        .map_or(parameter, |(name, _)| name)
}

fn matches(rule: &str, name: &str) -> bool {
    match rule.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => rule == name,
    }
}

type Part = dyn Fn(&Parts) -> Option<Vec<u8>> + Send + Sync;

/// Makes keys of requests.
#[derive(Clone, Default)]
pub(crate) struct KeyRules {
    pub(crate) query: QueryRules,
    pub(crate) parts: Vec<Arc<Part>>,
}

impl KeyRules {
    /// The key's full material; nothing if no unambiguous key can be made.
    ///
    /// Format version, scheme, authority, path, query, declared parts: each with its length, so that
    /// no two requests that differ in one of them share a key.
    pub(crate) fn key(&self, request: &Parts) -> Option<Vec<u8>> {
        let uri = &request.uri;
        let mut key = Vec::with_capacity(64 + uri.path().len() + uri.query().map_or(0, str::len));
        key.push(FORMAT);
        push_part(&mut key, uri.scheme_str().unwrap_or("").as_bytes());
        self.write_resource(
            request.uri.path(),
            uri.query(),
            authority(request)?,
            &mut key,
        );
        for part in &self.parts {
            // Declared and absent is a value like any other.
            match part(request) {
                Some(value) => push_part(&mut key, &value),
                None => key.push(0xff),
            }
        }
        (key.len() <= LONGEST).then_some(key)
    }

    /// What an unsafe request on this resource invalidates: all that is stored for it, whatever the
    /// scheme and the declared parts.
    pub(crate) fn target(&self, request: &Parts) -> Option<Target> {
        Some(self.target_of(&request.uri, authority(request)?))
    }

    pub(crate) fn target_of(&self, uri: &Uri, authority: &[u8]) -> Target {
        let mut name = Vec::new();
        self.write_resource(uri.path(), uri.query(), authority, &mut name);
        Target::new("uri", &name)
    }

    fn write_resource(
        &self,
        path: &str,
        query: Option<&str>,
        authority: &[u8],
        material: &mut Vec<u8>,
    ) {
        push_part(material, authority);
        // Names of hosts have no case; here alone the key is not what was sent.
        let start = material.len() - authority.len();
        material[start..].make_ascii_lowercase();
        push_part(material, path.as_bytes());
        match query {
            Some(query) => self.query.write(query, material),
            None => push_part(material, b""),
        }
    }
}

impl fmt::Debug for KeyRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRules")
            .field("query", &self.query)
            .field("parts", &self.parts.len())
            .finish()
    }
}

/// The one host that the request is for. Two that differ, or user information, make it ambiguous: the
/// cache and the handler might not mean the same.
pub(crate) fn authority(request: &Parts) -> Option<&[u8]> {
    let host = only_host(&request.headers)?;
    let authority = match (request.uri.authority(), host) {
        (Some(authority), None) => authority.as_str().as_bytes(),
        (Some(authority), Some(host)) => {
            let authority = authority.as_str().as_bytes();
            if !authority.eq_ignore_ascii_case(host) {
                return None;
            }
            authority
        }
        (None, Some(host)) => host,
        (None, None) => b"",
    };
    (!authority.contains(&b'@')).then_some(authority)
}

/// `Some(None)` without a `Host` field, `None` with more than one.
#[expect(
    clippy::option_option,
    reason = "absent and ambiguous are not the same"
)]
fn only_host(headers: &HeaderMap) -> Option<Option<&[u8]>> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().map(http::HeaderValue::as_bytes);
    hosts.next().is_none().then_some(host)
}

/// First byte of every key; another one when their making changes.
const FORMAT: u8 = 1;

/// Keys longer than this are not worth their memory.
const LONGEST: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(uri: &str, hosts: &[&str]) -> Parts {
        let mut request = Request::get(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        request.body(()).expect("a request").into_parts().0
    }

    fn key(rules: &KeyRules, uri: &str, host: &str) -> Option<Vec<u8>> {
        rules.key(&parts(uri, &[host]))
    }

    #[test]
    fn all_that_names_the_resource_is_in_the_key() {
        let rules = KeyRules::default();
        let base = key(&rules, "/a?b=c", "x");
        for (uri, host) in [
            ("/a", "x"),
            ("/a?b=d", "x"),
            ("/A?b=c", "x"),
            ("/a?b=c", "y"),
            ("/a%3Fb=c", "x"),
        ] {
            assert_ne!(base, key(&rules, uri, host), "{uri} {host}");
        }
        assert_eq!(base, key(&rules, "/a?b=c", "X"));
        assert_eq!(key(&rules, "/a", "x"), key(&rules, "/a?", "x"));
    }

    #[test]
    fn an_ambiguous_host_makes_no_key() {
        let rules = KeyRules::default();
        assert_eq!(rules.key(&parts("/", &["a", "b"])), None);
        assert_eq!(rules.key(&parts("/", &["a", "a"])), None);
        assert_eq!(rules.key(&parts("http://a/", &["b"])), None);
        assert_eq!(rules.key(&parts("/", &["a@b"])), None);
        assert!(rules.key(&parts("http://a/", &["A"])).is_some());
        assert!(rules.key(&parts("/", &[])).is_some());
        assert_eq!(key(&rules, &format!("/{}", "x".repeat(20_000)), "a"), None);
        assert!(key(&rules, &format!("/{}", "x".repeat(8192)), "a").is_some());
    }

    #[test]
    fn query_rules_leave_out_what_they_name() {
        let same = |query, one, other| {
            let rules = KeyRules {
                query,
                parts: vec![],
            };
            key(&rules, one, "x") == key(&rules, other, "x")
        };
        let tracking = || QueryRules::all().ignore_tracking();
        assert!(same(tracking(), "/?a=1&utm_source=x&gclid=2", "/?a=1"));
        assert!(!same(tracking(), "/?a=1&utmost=x", "/?a=1"));
        assert!(same(QueryRules::only(["a"]), "/?b=2&a=1", "/?a=1&c=3"));
        assert!(!same(QueryRules::only(["a"]), "/?a=1", "/?a=2"));
        assert!(same(QueryRules::all().sort(), "/?b=2&a=1", "/?a=1&b=2"));
        assert!(!same(QueryRules::all().sort(), "/?a=1&a=2", "/?a=2&a=1"));
        assert!(!same(QueryRules::all(), "/?b=2&a=1", "/?a=1&b=2"));
    }

    #[test]
    fn declared_parts_count_and_targets_do_not_know_them() {
        let tenant = |parts: &Parts| Some(parts.headers.get("x-tenant")?.as_bytes().to_vec());
        let rules = KeyRules {
            query: QueryRules::all(),
            parts: vec![Arc::new(tenant)],
        };
        let none = parts("/a", &["x"]);
        let mut one = parts("/a", &["x"]);
        one.headers
            .insert("x-tenant", "t".parse().expect("a value"));
        let mut empty = parts("/a", &["x"]);
        empty
            .headers
            .insert("x-tenant", "".parse().expect("a value"));
        assert_ne!(rules.key(&none), rules.key(&one));
        assert_ne!(rules.key(&none), rules.key(&empty));
        assert_eq!(rules.target(&none), rules.target(&one));
    }
}
