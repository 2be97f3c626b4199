mod addresses;
mod combined;
mod forwarded;
mod leaves;

use http::{Request, request::Parts};
use tower_keep_store::{Identity, PeerAddr, PersonalKey, Store};

use super::{ClientIp, Found, Key, Later, Subject};

/// What a key of a test finds, as the name of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    Somebody(tower_keep_store::Key),
    Nobody,
    Exempt,
}

fn material() -> PersonalKey {
    thread_local! {
        static STORE: Store = Store::memory();
    }
    STORE.with(|store| store.personal_key("t"))
}

fn request() -> Parts {
    Request::new(()).into_parts().0
}

fn from_peer(peer: &str) -> Parts {
    let mut request = request();
    let peer = (peer.parse::<std::net::IpAddr>().expect("an address"), 4711);
    request.extensions.insert(PeerAddr(peer.into()));
    request
}

fn from_user(name: &str) -> Parts {
    let mut request = request();
    request.extensions.insert(Identity::new(name));
    request
}

fn with_lines<B: AsRef<[u8]>>(mut request: Parts, name: &'static str, lines: &[B]) -> Parts {
    for line in lines {
        let value = http::HeaderValue::from_bytes(line.as_ref()).expect("a header's value");
        request.headers.append(name, value);
    }
    request
}

/// What the key finds, at once and, to the same effect, in time.
fn who(key: impl Into<Key>, request: &Parts) -> Who {
    let key = key.into();
    key.check().expect("a key that makes sense");
    let mut into = material();
    let who = match key.find(request, &mut into) {
        Found::Present => Who::Somebody(into.finish()),
        Found::Missing => Who::Nobody,
        Found::Exempt => Who::Exempt,
    };
    assert!(!key.is_async());
    assert_eq!(later(&key, request), who);
    who
}

fn later(key: &Key, request: &Parts) -> Who {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    match runtime.block_on(key.find_later(request)) {
        Later::Present(subject) => somebody(&subject),
        Later::Missing => Who::Nobody,
        Later::Exempt => Who::Exempt,
    }
}

fn somebody(subject: &Subject) -> Who {
    let mut into = material();
    subject.push_to(&mut into);
    Who::Somebody(into.finish())
}

/// Whoever has the address, as the key groups them.
fn at(address: &str) -> Who {
    let address = Subject::address(address.parse().expect("an address"));
    named(&Key::from(Key::client_ip()), &address)
}

/// Whom the key takes a subject for.
fn named(key: &Key, subject: &Subject) -> Who {
    let mut into = material();
    key.name(subject, &mut into);
    Who::Somebody(into.finish())
}

fn behind_proxies() -> ClientIp {
    Key::client_ip().trusted_proxies(["10.0.0.0/8", "2001:db8:ffff::/48"])
}
