//! Who is limited.

mod address;
mod client_ip;
mod debug;
mod find;
mod hops;
mod later;
mod leaf;
mod networks;
mod peer;
mod split;
mod subject;
#[cfg(test)]
mod tests;
mod user;

use std::{future::Future, pin::Pin, sync::Arc};

use http::{HeaderName, request::Parts};

pub use self::{client_ip::ClientIp, subject::Subject};
pub(crate) use self::{find::Found, later::Later};
use tower_keep_store::ConfigError;

/// Who is limited: what in a request tells whose units it uses.
///
/// Requests with the same key share a quota. A request that does not carry what the key asks for has none:
/// its key is *missing*, and the policy says what becomes of it.
///
/// ```
/// # use tower_keep_rate_limit::Key;
/// let address = Key::client_ip().trusted_proxies(["10.0.0.0/8"]);
/// let user_or_address = Key::user().or(address);
/// let each_route = user_or_address.and(Key::route());
/// # let _ = each_route;
/// ```
///
/// Cheap to clone. Nonsense (a network that is none, a header's name with a space) is found when the layer
/// is built.
#[derive(Clone)]
#[must_use]
pub struct Key(Arc<Node>);

enum Node {
    ClientIp(ClientIp),
    /// The name as it was given, and as it is, unless it is no name.
    Header(&'static str, Option<HeaderName>),
    User,
    Route,
    Function(Box<Function>),
    AsyncFunction(Box<AsyncFunction>),
    And(Key, Key),
    Or(Key, Key),
}

type Function = dyn Fn(&Parts) -> Option<Vec<u8>> + Send + Sync;

type AsyncFunction = dyn Fn(&Parts) -> Answer + Send + Sync;

/// What an asynchronous function will say.
type Answer = Pin<Box<dyn Future<Output = Option<Vec<u8>>> + Send>>;

impl Key {
    /// The client's address. Default: the other end of the connection, IPv6 by /64; headers are not read
    /// until [proxies are trusted](ClientIp::trusted_proxies).
    pub fn client_ip() -> ClientIp {
        ClientIp::new()
    }

    /// The value of a header, byte by byte: an API key. Missing if there is no such line, an empty one, or
    /// more than one. Whatever a client may choose freely gives it as many quotas as it likes: let
    /// something further out verify the value.
    pub fn header(name: &'static str) -> Self {
        Self::new(Node::Header(
            name,
            HeaderName::from_bytes(name.as_bytes()).ok(),
        ))
    }

    /// The user, as a layer further out has found out: the [`Identity`](tower_keep_store::Identity) in the
    /// request's extensions. Where it lies outside that layer, or there is none, all are without a user, and by
    /// default share one bucket: that is warned of, once.
    ///
    /// ```
    /// # use tower_keep_store::Identity;
    /// # let mut request = http::Request::new(());
    /// // In whatever authenticates. In axum it is the `.layer` called after that of the limit.
    /// request.extensions_mut().insert(Identity::new("ada"));
    /// ```
    pub fn user() -> Self {
        Self::new(Node::User)
    }

    /// The method and the route: with the feature `axum` the route's pattern (`/users/{id}`) where axum
    /// has left it, else the path as it was sent. A path is the client's choice: unless the layer lies within
    /// the router, each path that is made up has a quota of its own. Methods that HTTP does not define
    /// count as one.
    pub fn route() -> Self {
        Self::new(Node::Route)
    }

    /// Whatever a function makes of the request; nothing if the key is missing.
    pub fn from_fn<F, B>(function: F) -> Self
    where
        F: Fn(&Parts) -> Option<B> + Send + Sync + 'static,
        B: Into<Vec<u8>>,
    {
        Self::new(Node::Function(Box::new(move |request| {
            function(request).map(Into::into)
        })))
    }

    /// Whatever an asynchronous function makes of the request; nothing if the key is missing. The request
    /// waits for it, without a deadline. It takes from the request what it needs before it begins to wait.
    pub fn from_async_fn<F, A, B>(function: F) -> Self
    where
        F: Fn(&Parts) -> A + Send + Sync + 'static,
        A: Future<Output = Option<B>> + Send + 'static,
        B: Into<Vec<u8>>,
    {
        Self::new(Node::AsyncFunction(Box::new(move |request| {
            let answer = function(request);
            Box::pin(async move { answer.await.map(Into::into) })
        })))
    }

    /// Both together: one quota for each pair. Missing if either is; not limited if either
    /// [is not](ClientIp::allow).
    pub fn and(self, other: impl Into<Self>) -> Self {
        Self::new(Node::And(self, other.into()))
    }

    /// This one, or, where it is missing, the other. The other is not looked at where this one is present:
    /// what it [allows](ClientIp::allow) counts only where it is.
    pub fn or(self, other: impl Into<Self>) -> Self {
        Self::new(Node::Or(self, other.into()))
    }

    /// What makes no sense in it.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        match &*self.0 {
            Node::ClientIp(client) => client.check(),
            Node::Header(name, None) => {
                Err(ConfigError::new(format!("{name:?} is not a header's name")))
            }
            Node::And(first, second) | Node::Or(first, second) => {
                first.check()?;
                second.check()
            }
            _ => Ok(()),
        }
    }

    fn new(node: Node) -> Self {
        Self(Arc::new(node))
    }
}

impl From<ClientIp> for Key {
    fn from(client: ClientIp) -> Self {
        Self::new(Node::ClientIp(client))
    }
}
