//! What a response is stored under.

use std::{fmt, sync::Arc};

use http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{FORWARDED, HOST},
    request::Parts,
};
use sha2::{Digest, Sha256};
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
        let is_plain = |p: &&str| !is_encoded(name_of(p)) && !may_be_two(p);
        if self.sort && parameters.iter().all(is_plain) {
            // Stable by name: the order of one parameter's values stays.
            parameters.sort_by_key(|parameter| name_of(parameter));
        }
        push_part(material, parameters.join("&").as_bytes());
    }

    fn is_kept(&self, parameter: &str) -> bool {
        let name = name_of(parameter);
        if is_encoded(name) || may_be_two(parameter) {
            // Who decodes or divides it may see one of the listed names. In the key it costs misses only.
            return true;
        }
        let listed = |rules: &[Box<str>]| rules.iter().any(|rule| matches(rule, name));
        self.only.as_deref().is_none_or(listed) && !listed(&self.ignore)
    }
}

fn name_of(parameter: &str) -> &str {
    parameter
        .split_once('=')
        .map_or(parameter, |(name, _)| name)
}

fn is_encoded(name: &str) -> bool {
    name.contains(['%', '+'])
}

/// Some origins take a semicolon for an ampersand, as HTML 4 recommended.
fn may_be_two(parameter: &str) -> bool {
    parameter.contains(';')
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
    /// Whose keys they are, where several layers share a namespace.
    pub(crate) name: Box<str>,
    pub(crate) query: QueryRules,
    pub(crate) parts: Vec<Arc<Part>>,
    /// Leave out what proxies say of the request that they received.
    pub(crate) ignore_forwarded: bool,
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
        push_part(&mut key, self.name.as_bytes());
        push_part(&mut key, uri.scheme_str().unwrap_or("").as_bytes());
        self.write_resource(
            request.uri.path(),
            uri.query(),
            authority(request)?,
            &mut key,
        );
        if !self.ignore_forwarded {
            push_forwarded(&mut key, &request.headers);
        }
        for part in &self.parts {
            // Declared and absent is a value like any other. A digest, because the key stands in the
            // store, and a part may be a secret.
            match part(request) {
                Some(value) => push_part(&mut key, &Sha256::digest(&value)),
                None => key.push(0xff),
            }
        }
        (key.len() <= LONGEST).then_some(key)
    }

    /// What stands for this resource, whatever the scheme and the declared parts.
    pub(crate) fn target(&self, request: &Parts) -> Option<Target> {
        Some(self.target_of(&request.uri, authority(request)?))
    }

    /// What an unsafe request may have changed: the resource on each host that it names. An ambiguous
    /// one is not stored, but it does its work all the same.
    pub(crate) fn targets(&self, request: &Parts) -> Vec<Target> {
        let of = |authority| self.target_of(&request.uri, authority);
        let mut targets: Vec<_> = authorities(request).into_iter().map(of).collect();
        targets.dedup();
        targets
    }

    pub(crate) fn target_of(&self, uri: &Uri, authority: &[u8]) -> Target {
        let mut name = Vec::new();
        let authority = without_own_port(authority);
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

/// What proxies in front say of the request as they received it. Frameworks make hosts, schemes and
/// prefixes of links and redirects from it, so it is part of the key wherever it is sent.
fn push_forwarded(key: &mut Vec<u8>, headers: &HeaderMap) {
    for (name, value) in headers {
        if *name == FORWARDED {
            push_forwarded_pairs(key, value.as_bytes());
        } else if let Some(at) = FORWARDED_FIELDS.iter().position(|field| field == name) {
            key.push(at as u8);
            push_part(key, value.as_bytes());
        }
    }
    key.push(u8::MAX);
}

/// Of `Forwarded` not `for` and `by`: they name clients and proxies.
fn push_forwarded_pairs(key: &mut Vec<u8>, line: &[u8]) {
    for pair in line.split(|byte| b",;".contains(byte)) {
        let pair = pair.trim_ascii();
        let names =
            |name: &[u8]| pair.len() >= name.len() && pair[..name.len()].eq_ignore_ascii_case(name);
        if names(b"host") || names(b"proto") {
            key.push(FORWARDED_FIELDS.len() as u8);
            push_part(key, pair);
        }
    }
}

static FORWARDED_FIELDS: [HeaderName; 4] = [
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-forwarded-proto"),
];

/// The one host that the request is for. Two that differ, or user information, make it ambiguous: the
/// cache and the handler might not mean the same.
pub(crate) fn authority(request: &Parts) -> Option<&[u8]> {
    authority_of(&request.uri, &request.headers)
}

/// The same of a request's URI and fields.
pub(crate) fn authority_of<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a [u8]> {
    let host = only_host(headers)?;
    let authority = match (uri.authority(), host) {
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

/// Whether a port is the scheme's own cannot be told without the scheme, so both that may be are left out of what
/// stands for a resource or a group: at worst two origins that nobody tells apart are invalidated together.
pub(crate) fn without_own_port(authority: &[u8]) -> &[u8] {
    [b":80".as_slice(), b":443"]
        .into_iter()
        .find_map(|port| authority.strip_suffix(port))
        .unwrap_or(authority)
}

/// Every host that a request names; the empty one if it names none.
pub(crate) fn authorities(request: &Parts) -> Vec<&[u8]> {
    let own = request.uri.authority().map(|own| own.as_str().as_bytes());
    let hosts = request.headers.get_all(HOST).iter();
    let mut named: Vec<_> = own
        .into_iter()
        .chain(hosts.map(HeaderValue::as_bytes))
        .collect();
    if named.is_empty() {
        named.push(b"");
    }
    named
}

/// `Some(None)` without a `Host` field, `None` with more than one.
#[expect(
    clippy::option_option,
    reason = "absent and ambiguous are not the same"
)]
fn only_host(headers: &HeaderMap) -> Option<Option<&[u8]>> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().map(HeaderValue::as_bytes);
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
                ..KeyRules::default()
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
        // What a handler may decode to a listed name is not left out, nor moved.
        assert!(!same(QueryRules::only(["a"]), "/?%61=evil", "/"));
        assert!(!same(tracking(), "/?%75tm_source=x", "/"));
        assert!(!same(
            QueryRules::all().sort(),
            "/?a=1&%61=2",
            "/?%61=2&a=1"
        ));
    }

    #[test]
    fn a_parameter_that_some_read_as_two_hides_none() {
        let same = |query: QueryRules, one: &str, other: &str| {
            let rules = KeyRules {
                query,
                ..KeyRules::default()
            };
            key(&rules, one, "x") == key(&rules, other, "x")
        };
        let tracking = || QueryRules::all().ignore_tracking();
        assert!(!same(tracking(), "/?utm_source=1;callback=evil", "/"));
        assert!(!same(QueryRules::only(["a"]), "/?b=1;a=evil", "/"));
        let sorted = || QueryRules::all().sort();
        assert!(!same(sorted(), "/?b=1;a=2&a=3", "/?a=3&b=1;a=2"));
    }

    #[test]
    fn what_proxies_say_is_in_the_key_but_not_who_they_say_it_of() {
        let with = |name: &'static str, value: &'static str| {
            let mut request = parts("/", &["x"]);
            request
                .headers
                .append(name, HeaderValue::from_static(value));
            request
        };
        let rules = KeyRules::default();
        let plain = rules.key(&parts("/", &["x"]));
        for (name, value) in [
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-prefix", "/a"),
            ("x-forwarded-port", "81"),
            ("forwarded", "for=1.2.3.4; Host=evil.example"),
            ("forwarded", "for=1.2.3.4, for=1.2.3.5;proto=https"),
        ] {
            assert_ne!(plain, rules.key(&with(name, value)), "{name}: {value}");
            let ignoring = KeyRules {
                ignore_forwarded: true,
                ..KeyRules::default()
            };
            assert_eq!(
                ignoring.key(&parts("/", &["x"])),
                ignoring.key(&with(name, value))
            );
        }
        assert_eq!(plain, rules.key(&with("forwarded", "for=1.2.3.4;by=x")));
        assert_eq!(plain, rules.key(&with("x-forwarded-for", "1.2.3.4")));
        assert_eq!(
            rules.target(&parts("/", &["x"])),
            rules.target(&with("x-forwarded-host", "y"))
        );
    }

    #[test]
    fn a_secret_part_does_not_stand_in_the_key() {
        let rules = KeyRules {
            parts: vec![Arc::new(|_: &Parts| Some(b"topsecret".to_vec()))],
            ..KeyRules::default()
        };
        let key = rules.key(&parts("/", &["x"])).expect("a key");
        assert!(!key.windows(9).any(|bytes| bytes == b"topsecret"));
    }

    #[test]
    fn an_ambiguous_change_is_one_of_every_host_that_it_names() {
        let rules = KeyRules::default();
        let of = |host| rules.target(&parts("/a", &[host])).expect("a target");
        assert_eq!(rules.targets(&parts("/a", &["x", "y"])), [of("x"), of("y")]);
        assert_eq!(rules.targets(&parts("/a", &["x", "x"])), [of("x")]);
        assert_eq!(
            rules.targets(&parts("http://y/a", &["x"])),
            [of("y"), of("x")]
        );
        assert_eq!(rules.targets(&parts("/a", &[])).len(), 1);
    }

    #[test]
    fn declared_parts_count_and_targets_do_not_know_them() {
        let tenant = |parts: &Parts| Some(parts.headers.get("x-tenant")?.as_bytes().to_vec());
        let rules = KeyRules {
            parts: vec![Arc::new(tenant)],
            ..KeyRules::default()
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
