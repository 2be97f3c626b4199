//! Connections to Redis break in the middle of what is being said, either way: what was confirmed is there, once, and
//! the rest is there as a whole or not at all.

use tower_keep_session::{Session, SessionError, SessionLayer};
use tower_keep_store::Store;
use tower_keep_test_support::{Direction, Random, RedisServer, Reply, TcpProxy, seed};

use crate::{
    common::{Browser, LONG, Wire},
    records::live,
};

/// A network that breaks at moments of chance.
struct Net {
    server: RedisServer,
    proxy: TcpProxy,
    /// Behind it, and beside it.
    breaking: SessionLayer,
    whole: SessionLayer,
    random: Random,
    /// Requests that were not answered well.
    broken: usize,
}

impl Net {
    async fn start() -> Self {
        let server = RedisServer::start();
        let proxy = TcpProxy::start(server.address()).await;
        let layer = |url: &str| {
            let store = Store::builder().deadline(LONG).connect(url);
            SessionLayer::new(store.expect("a good URL"))
        };
        Self {
            breaking: layer(&format!("redis://{}", proxy.address())),
            whole: layer(&server.url()),
            server,
            proxy,
            random: Random::new(seed()),
            broken: 0,
        }
    }

    /// A user with a session and a cart in it.
    async fn user(&self, name: &str) -> Browser {
        let mut browser = Browser::new(&self.whole);
        browser.login(name).await;
        browser.set("cart", 1).await;
        browser
    }

    /// A request of which one connection breaks, somewhere; nothing if it was not answered well.
    async fn breaks<R>(
        &mut self,
        browser: &mut Browser,
        job: impl AsyncFnOnce(Session) -> Result<R, SessionError>,
    ) -> Option<R> {
        let ways = [Direction::ToServer, Direction::ToClient];
        let (way, at) = (self.random.pick(&ways), self.random.index(700));
        let proxy = &self.proxy;
        let mut behind = browser.at(&self.breaking);
        let visit = behind.handled(async |handle| {
            let session = handle.load().await;
            proxy.cut_after(way, at);
            let result = match session {
                Ok(session) => job(session).await,
                Err(error) => Err(error),
            };
            (result, Wire::default())
        });
        let (result, answer) = visit.await;
        browser.cookie = behind.cookie;
        let is_good = answer.status().is_success();
        let result = result.inspect_err(|error| {
            assert!(matches!(error, SessionError::Store(_)), "{error:?}");
        });
        let result = result.ok().filter(|_| is_good);
        self.broken += usize::from(result.is_none());
        result
    }

    /// It was put to the test, and nothing is left for ever.
    fn check(&self) {
        assert!(self.broken > 2, "{} were broken", self.broken);
        let Reply::Array(Some(keys)) = self.server.command(&["KEYS", "*"]) else {
            panic!("KEYS answers with a list");
        };
        for key in keys.iter().filter_map(Reply::text) {
            let lives = self.server.command(&["PTTL", &key]);
            assert_ne!(lives, Reply::Integer(-1), "{key} has an end");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_happened_once_and_the_rest_once_at_the_most() {
    let mut net = Net::start().await;
    let mut browser = net.user("ada").await;
    let (mut tried, mut done) = (0, 0);
    for value in 2..60 {
        let write = async |session: Session| {
            session.set("cart", &value)?;
            session.set("copy", &value)?;
            session.increment("count", 1).await
        };
        tried += 1;
        done += i64::from(net.breaks(&mut browser, write).await.is_some());
        let count = browser.get("count").await.unwrap_or_default();
        assert!(
            (done..=tried).contains(&count),
            "{done} <= {count} <= {tried}"
        );
        tried = count;
        done = count;
        let both = (browser.get("cart").await, browser.get("copy").await);
        assert!(both == (Some(1), None) || both.0 == both.1, "{both:?}");
    }
    net.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_cut_off_loses_nothing() {
    let mut net = Net::start().await;
    let mut browser = net.user("ada").await;
    for _ in 0..40 {
        let rotate = async |session: Session| session.rotate().await;
        net.breaks(&mut browser, rotate).await;
        assert_eq!(browser.user().await.as_deref(), Some("ada"));
        assert_eq!(browser.get("cart").await, Some(1));
    }
    assert_eq!(live(&net.server).len(), 1);
    net.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_or_logout_that_is_cut_off_happened_or_did_not() {
    let mut net = Net::start().await;
    for i in 0..40 {
        let user = format!("user {i}");
        let mut browser = net.user(&user).await;
        let mut before = browser.clone();
        let is_login = i % 2 > 0;
        let change = async |session: Session| match is_login {
            true => session.login(user.clone(), 2).await,
            false => session.logout().await,
        };
        let told = net.breaks(&mut browser, change).await;
        let (now, old) = (browser.user().await, before.user().await);
        let listed = net.whole.sessions().list(&user).await;
        let listed = listed.expect("a list").len();
        match (is_login, told) {
            (true, Some(())) => assert_eq!((now, old, listed), (Some(user), None, 1)),
            (true, None) => assert_eq!(listed, 1, "the old one, or one that nobody was told of"),
            (false, Some(())) => assert_eq!((now, old, listed), (None, None, 0)),
            (false, None) => assert_eq!(listed, usize::from(old.is_some())),
        }
    }
    net.check();
}
