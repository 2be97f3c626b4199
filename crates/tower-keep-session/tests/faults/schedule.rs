//! Users who log in, out, and out everywhere, at two processes, in an order that chance decides.

use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::future::join_all;
use tower_keep_test_support::{Random, RedisServer, seed};

use crate::{process::Process, records::live, visitor::Visitor};

/// From when to when something was done.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: u64,
    to: u64,
}

/// What everybody can know: which user was logged out everywhere, and when.
#[derive(Debug, Default)]
struct World {
    clock: AtomicU64,
    ends: Mutex<Vec<(usize, Span)>>,
}

/// One client, and what it knows of itself.
struct Client<'a> {
    world: &'a World,
    visitor: Visitor,
    addresses: [SocketAddr; 2],
    random: Random,
    /// Who logged in, and when.
    user: Option<(usize, Span)>,
    /// What was last written into the session.
    own: i64,
}

impl World {
    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    fn ended(&self, user: usize, span: Span) {
        self.ends.lock().expect("nobody panics").push((user, span));
    }

    /// Whether an end of this user's sessions makes that true.
    fn has_end(&self, user: usize, is: impl Fn(Span) -> bool) -> bool {
        let ends = self.ends.lock().expect("nobody panics");
        ends.iter().any(|(of, span)| *of == user && is(*span))
    }
}

impl Client<'_> {
    async fn does(&mut self, path: &str) -> (u16, Span) {
        let from = self.world.now();
        let at = self.random.pick(&self.addresses);
        let told = self.visitor.post(at, path).await;
        let to = self.world.now();
        assert!(told.status < 500, "{path}: {told:?}");
        (told.status, Span { from, to })
    }

    async fn step(&mut self) {
        match self.random.below(10) {
            0 | 1 => self.login().await,
            2 => self.logout().await,
            3 => self.everywhere().await,
            4 => drop(self.does("/rotate").await),
            5 | 6 => self.set().await,
            _ => drop(self.look().await),
        }
    }

    async fn login(&mut self) {
        let user = self.random.index(2);
        let (status, span) = self.does(&format!("/login/user{user}")).await;
        if status != 200 {
            // Thrown out while the same user logged in again.
            assert!(self.user.is_some_and(|(other, _)| other == user));
            return self.forget();
        }
        // What nobody left goes on, what another user left does not, and what the same one left may have ended.
        let kept = match self.user {
            None => [self.own; 2],
            Some((other, _)) if other == user => [self.own, 0],
            Some(_) => [0; 2],
        };
        self.user = Some((user, span));
        self.own = self.value().await;
        if self.look().await.is_some() {
            assert!(kept.contains(&self.own), "{} of {kept:?}", self.own);
        }
    }

    async fn logout(&mut self) {
        assert_eq!(self.does("/logout").await.0, 200);
        self.user = None;
        assert_eq!(self.look().await, None);
        self.forget();
    }

    async fn everywhere(&mut self) {
        let (status, span) = self.does("/everywhere").await;
        let Some((user, since)) = self.user else {
            assert_ne!(status, 200, "nobody is logged in");
            return;
        };
        if status == 200 {
            self.world.ended(user, span);
        } else {
            self.must_have_ended(user, since, span);
        }
        self.forget();
    }

    async fn set(&mut self) {
        let before = self.look().await;
        let value = self.own + 1;
        assert_eq!(self.does(&format!("/set/own/{value}")).await.0, 200);
        let seen = self.value().await;
        if self.look().await == before {
            assert_eq!(seen, value, "what was confirmed is there");
            self.own = value;
        }
    }

    /// Who the site says this is: that user, unless all of the user's sessions were ended.
    async fn look(&mut self) -> Option<usize> {
        let from = self.world.now();
        let at = self.random.pick(&self.addresses);
        let told = self.visitor.get(at, "/me").await;
        let span = Span {
            from,
            to: self.world.now(),
        };
        if told.status == 200 {
            let (user, since) = self.user.expect("nobody is logged in here");
            assert_eq!(told.body, format!("user{user}"));
            let is_over = |end: Span| end.from > since.to && end.to < span.from;
            assert!(
                !self.world.has_end(user, is_over),
                "it was ended, and came back"
            );
            return Some(user);
        }
        assert_eq!(told.status, 401);
        if let Some((user, since)) = self.user {
            self.must_have_ended(user, since, span);
            self.forget();
        }
        None
    }

    /// An end that is under way is not yet known to the world; it is when all is done.
    fn must_have_ended(&self, user: usize, since: Span, seen: Span) {
        let mut ends = self.world.ends.lock().expect("nobody panics");
        ends.push((
            MISSED + user,
            Span {
                from: since.from,
                to: seen.to,
            },
        ));
    }

    async fn value(&mut self) -> i64 {
        let at = self.random.pick(&self.addresses);
        self.visitor.number(at, "own").await
    }

    /// Begins again as nobody.
    fn forget(&mut self) {
        self.user = None;
        self.visitor = Visitor::default();
        self.own = 0;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_logged_in_is_as_everybody_was_told() {
    let mut random = Random::new(seed());
    let server = RedisServer::start();
    let processes = [Process::start(&server), Process::start(&server)];
    let addresses = processes.each_ref().map(|process| process.address);
    let world = World::default();
    let clients = (0..6).map(|_| Client {
        world: &world,
        visitor: Visitor::default(),
        addresses,
        random: Random::new(random.any()),
        user: None,
        own: 0,
    });
    let lives = clients.map(async |mut client| {
        for _ in 0..40 {
            client.step().await;
        }
        client
    });
    let clients: Vec<_> = lives.collect();
    let mut clients = join_all(clients).await;
    let mut known = 0;
    for client in &mut clients {
        known += usize::from(client.look().await.is_some());
    }
    // Whoever was found out was so by an end at that time.
    let all = world.ends.lock().expect("nobody panics").clone();
    for (user, missed) in all.iter().filter(|(user, _)| *user >= MISSED) {
        let is_why = |(of, end): &&(usize, Span)| {
            of + MISSED == *user && end.to > missed.from && end.from < missed.to
        };
        assert!(all.iter().any(|end| is_why(&end)), "{missed:?}: {all:?}");
    }
    assert_eq!(
        users(&server),
        known,
        "no session is left that nobody knows"
    );
}

/// Sessions of users that have not ended.
fn users(server: &RedisServer) -> usize {
    let mut live = live(server);
    live.retain(|key| {
        // One of nobody has no second part.
        let owner = key.split_once("}:").map(|(owner, _)| owner);
        let owner = owner.and_then(|owner| Some(owner.split_once('{')?.1));
        owner.is_some_and(|owner| !is_over(server, key, owner))
    });
    live.len()
}

/// Whether its user was logged out everywhere since it began.
fn is_over(server: &RedisServer, key: &str, owner: &str) -> bool {
    let number = |key: &str, nth: usize| {
        let text = server.command(&["GETRANGE", key, "0", "40"]).text();
        let word = text.as_deref().and_then(|text| text.split(' ').nth(nth));
        word.and_then(|word| word.parse::<u64>().ok())
    };
    let began = number(key, 1).expect("a session of an epoch");
    let epoch = format!("keep:su:{{{owner}}}:00000000");
    began < number(&epoch, 0).expect("users have an epoch")
}

/// Stands for "somebody found this user's session ended".
const MISSED: usize = 100;
