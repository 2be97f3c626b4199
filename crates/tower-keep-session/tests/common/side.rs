//! A store under test, whose time the test moves.

use std::time::Duration;

use tower_keep_session::{SessionLayer, SessionLayerBuilder};
use tower_keep_store::{Clock, Store, Timestamp};
use tower_keep_test_support::{RedisServer, Reply};

/// A patient deadline: a busy machine is no failure.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// Where the clocks of the tests begin.
pub(crate) const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// One of the two stores.
pub(crate) struct Side {
    pub(crate) clock: Clock,
    server: Option<RedisServer>,
    memory: Store,
}

impl Side {
    pub(crate) fn embedded() -> Self {
        let clock = Clock::manual(START);
        Self {
            memory: Store::builder().clock(clock.clone()).memory(),
            clock,
            server: None,
        }
    }

    pub(crate) fn redis() -> Self {
        Self {
            server: Some(RedisServer::start()),
            ..Self::embedded()
        }
    }

    /// The store as one more process sees it.
    pub(crate) fn store(&self) -> Store {
        let Some(server) = &self.server else {
            return self.memory.clone();
        };
        let builder = Store::builder().deadline(LONG).clock(self.clock.clone());
        builder.connect(&server.url()).expect("a good URL")
    }

    pub(crate) fn builder(&self) -> SessionLayerBuilder {
        SessionLayer::builder(self.store())
    }

    pub(crate) fn layer(&self) -> SessionLayer {
        SessionLayer::new(self.store())
    }

    /// Whether there is a server, for what only it can show.
    pub(crate) fn server(&self) -> Option<&RedisServer> {
        self.server.as_ref()
    }

    /// The server, to do something to it.
    pub(crate) fn server_mut(&mut self) -> &mut RedisServer {
        self.server.as_mut().expect("the side with a server")
    }

    /// Lets time pass: for the clock, and for whatever lives on the server.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
        let by = i64::try_from(by.as_millis()).expect("not so long");
        for key in self.keys() {
            let left = self.lives(&key) - by;
            self.command(&["PEXPIRE", &key, &left.to_string()]);
        }
    }

    /// The keys of sessions and of users on the server, sorted.
    pub(crate) fn keys(&self) -> Vec<String> {
        if self.server.is_none() {
            return Vec::new();
        }
        let Reply::Array(Some(names)) = self.command(&["KEYS", "keep:s*"]) else {
            panic!("KEYS answers with a list");
        };
        let names = names.iter().map(|name| name.text().expect("a name"));
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// The keys of sessions alone.
    pub(crate) fn sessions(&self) -> Vec<String> {
        let mut keys = self.keys();
        keys.retain(|key| key.starts_with("keep:s:"));
        keys
    }

    /// The key of the one session that there is, leaving out the ends of others.
    pub(crate) fn session(&self) -> String {
        let mut keys = self.sessions();
        keys.retain(|key| !self.is_tombstone(key));
        assert_eq!(keys.len(), 1, "one session: {keys:?}");
        keys.remove(0)
    }

    /// Milliseconds that a key has to live; -1 for ever, -2 if there is none.
    pub(crate) fn lives(&self, key: &str) -> i64 {
        match self.command(&["PTTL", key]) {
            Reply::Integer(millis) => millis,
            other => panic!("PTTL answers with a number, not {other:?}"),
        }
    }

    /// Whether what is left under a session's key is only that it ended.
    pub(crate) fn is_tombstone(&self, key: &str) -> bool {
        let kind = self.command(&["GETRANGE", key, "0", "0"]);
        kind.text().as_deref() == Some("t")
    }

    /// What a session's record holds by this name.
    pub(crate) fn held(&self, key: &str, name: &str) -> Option<String> {
        held(
            self.server.as_ref().expect("the side with a server"),
            key,
            name,
        )
    }

    /// Has a session's record hold something by this name, as another version might.
    pub(crate) fn plant(&self, key: &str, name: &str, value: &str) {
        let planted = self.command(&["EVAL", PLANT, "1", key, name, value]);
        assert!(!matches!(planted, Reply::Error(_)), "{planted:?}");
    }

    pub(crate) fn command(&self, words: &[&str]) -> Reply {
        let server = self.server.as_ref().expect("the side with a server");
        server.command(words)
    }
}

/// What a session's record on a server holds by this name.
pub(crate) fn held(server: &RedisServer, key: &str, name: &str) -> Option<String> {
    server.command(&["EVAL", HELD, "1", key, name]).text()
}

const HELD: &str = "
    local packed = string.match(redis.call('GET', KEYS[1]), '^s%d+ %d+ %d+ (.*)$')
    return cmsgpack.unpack(packed)[ARGV[1]]";

const PLANT: &str = "
    local head, packed = string.match(redis.call('GET', KEYS[1]), '^(s%d+ %d+ %d+ )(.*)$')
    local held = cmsgpack.unpack(packed)
    held[ARGV[1]] = ARGV[2]
    return redis.call('SET', KEYS[1], head .. cmsgpack.pack(held), 'KEEPTTL')";
