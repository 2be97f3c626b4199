//! The sessions that processes share.
//!
//! A session is read by its server's own commands, which travel together; what changes one is a script that
//! first looks whether it is still there.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use tower_keep_store::{Clock, Command, Key, Reply, Server, Store, StoreError};

use crate::{
    lifetimes::Lifetimes,
    place::{At, Ended, Listed, Loaded, Replace, Replaced, Write, Written, epoch, index},
    record::Found,
};

#[cfg(test)]
mod tests;
mod wire;

/// The sessions on a server.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    server: Server,
    clock: Clock,
    deadline: Duration,
    /// What is being renewed: one command is enough, however many requests ask for it.
    renewing: Arc<Mutex<HashSet<Key>>>,
    /// Milliseconds by which the server's clock was ahead of ours, when it was last heard of.
    ahead: Arc<AtomicI64>,
}

impl Shared {
    pub(crate) fn new(store: &Store, server: Server) -> Self {
        for script in [
            &wire::WRITE,
            &wire::RENEW,
            &wire::SETTLE,
            &wire::REPLACE,
            &wire::END_ALL,
            &wire::REVOKE,
        ] {
            server.prepare(script);
        }
        Self {
            server,
            clock: store.clock().clone(),
            deadline: store.step_deadline(),
            renewing: Arc::default(),
            ahead: Arc::default(),
        }
    }

    pub(crate) async fn load(
        &self,
        at: Option<&At>,
        token: Option<&Key>,
    ) -> Result<Loaded, StoreError> {
        let mut commands = Vec::with_capacity(2);
        commands.extend(token.map(|token| Command::new("EXISTS").key(token)));
        if let Some(at) = at {
            commands.push(match &at.owner {
                Some(owner) => Command::new("MGET").key(&epoch(owner)).key(&at.session),
                None => Command::new("GET").key(&at.session),
            });
        }
        let mut replies = self.run(commands).await?.into_iter();
        let mut next = || replies.next().ok_or_else(StoreError::malformed);
        let is_revoked = match token {
            Some(_) => next()?.integer().ok_or_else(StoreError::unavailable)? != 0,
            None => false,
        };
        let Some(at) = at else {
            return Ok(Loaded {
                found: Found::Nothing,
                is_revoked,
            });
        };
        let (epoch, text) = match (&at.owner, next()?) {
            // To this command, a key of another type is an absent one.
            (Some(_), Reply::List(both)) => match <[Reply; 2]>::try_from(both) {
                Ok([epoch, text]) => (Some(epoch.bytes()), text.bytes()),
                Err(_) => return Err(StoreError::malformed()),
            },
            (Some(_), _) => return Err(StoreError::unavailable()),
            (None, reply) => (None, self.read(reply, &at.session, STRING).await?.bytes()),
        };
        let found = match text {
            Some(text) => self.found(&at.session, &text, epoch).await?,
            None => Found::Nothing,
        };
        Ok(Loaded { found, is_revoked })
    }

    /// What the text of a session says; the server is asked again only where that is not all.
    async fn found(
        &self,
        session: &Key,
        text: &Bytes,
        epoch: Option<Option<Bytes>>,
    ) -> Result<Found, StoreError> {
        let epoch = epoch.as_ref().map(Option::as_ref);
        let now = self.servers_now();
        if let Some(found) = wire::found(text, None, epoch, now) {
            return Ok(found);
        }
        let left = self.run(vec![Command::new("PTTL").key(session)]).await?;
        let left = left.first().and_then(Reply::integer);
        let left = left.ok_or_else(StoreError::unavailable)?;
        let found = wire::found(text, Some(left), epoch, now);
        found.ok_or_else(StoreError::malformed)
    }

    pub(crate) async fn revoke_token(&self, token: &Key, lives: u64) -> Result<(), StoreError> {
        // In this order: one that is there does not end in between. Neither makes it end sooner.
        let lives = lives.to_string();
        let extend = Command::new("PEXPIRE").key(token).arg(lives.clone());
        let set = Command::new("SET").key(token).arg("1");
        let commands = vec![extend.arg("GT"), set.arg("NX").arg("PX").arg(lives)];
        let replies = self.run(commands).await?;
        let is_done =
            |reply: &Reply| matches!(reply, Reply::Integer(_) | Reply::Bytes(_) | Reply::Nil);
        if replies.len() == 2 && replies.iter().all(is_done) {
            Ok(())
        } else {
            Err(StoreError::unavailable())
        }
    }

    /// What was read of a key. One of another type holds nothing of ours; any other failure is not "nothing
    /// there".
    async fn read(&self, reply: Reply, key: &Key, ours: &str) -> Result<Reply, StoreError> {
        if reply != Reply::Error {
            return Ok(reply);
        }
        let types = self.run(vec![Command::new("TYPE").key(key)]).await?;
        match types.into_iter().next() {
            Some(Reply::Bytes(kind)) if kind != ours && kind != NONE => Ok(Reply::Nil),
            _ => Err(StoreError::unavailable()),
        }
    }

    pub(crate) fn renew(&self, at: &At, lifetimes: &Lifetimes) {
        let (myself, session) = (self.clone(), at.session);
        if !self.renewing().insert(session) {
            return;
        }
        let argument = wire::renewal(self.given(), lifetimes);
        self.server.spawn(async move {
            let asked = myself.now();
            // What fails is tried again by the next request.
            if let Ok(time) = myself.script(&wire::RENEW, &[session], &argument).await {
                myself.learn(wire::time(&time), asked);
            }
            myself.renewing().remove(&session);
        });
    }

    pub(crate) fn settle(&self, at: &At, befores: &[At], lifetimes: &Lifetimes) {
        let all = [at].into_iter().chain(befores).map(|at| at.session);
        let (myself, keys) = (self.clone(), all.collect::<Vec<_>>());
        let argument = wire::settling(befores, self.given(), lifetimes);
        self.server.spawn(async move {
            // What fails is tried again by the next request.
            let _settled_or_not = myself.script(&wire::SETTLE, &keys, &argument).await;
        });
    }

    /// Learns the server's time, by which it judges what is due.
    fn learn(&self, time: Option<u64>, asked: u64) {
        let Some(time) = time.filter(|_| !self.clock.is_manual()) else {
            return;
        };
        if let Ok(ahead) = i64::try_from(i128::from(time) - i128::from(asked)) {
            self.ahead.store(ahead, Relaxed);
        }
    }

    /// The server's time, as far as it is known.
    pub(crate) fn servers_now(&self) -> u64 {
        self.now().saturating_add_signed(self.ahead.load(Relaxed))
    }

    fn now(&self) -> u64 {
        self.clock.now().as_micros() / 1000
    }

    fn renewing(&self) -> MutexGuard<'_, HashSet<Key>> {
        self.renewing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn write(
        &self,
        at: &At,
        write: Write,
        lifetimes: &Lifetimes,
    ) -> Result<Written, StoreError> {
        let epoch = at.owner.as_ref().map_or(at.session, epoch);
        let argument = wire::writing(&write, at.owner.is_some(), self.given(), lifetimes);
        let reply = self
            .script(&wire::WRITE, &[at.session, epoch], &argument)
            .await?;
        wire::written(&reply).ok_or_else(StoreError::malformed)
    }

    pub(crate) async fn replace(
        &self,
        replace: Replace,
        lifetimes: &Lifetimes,
    ) -> Result<Replaced, StoreError> {
        let new = replace.new.as_ref().map(|new| new.at);
        let some = replace.old.or(new).ok_or_else(StoreError::malformed)?;
        let keys = |at: Option<At>| {
            let at = at.unwrap_or(some);
            let owner = at.owner.unwrap_or(at.session);
            [at.session, epoch(&owner), index(&owner)]
        };
        let came = replace.came.unwrap_or(some).session;
        let keys = [&keys(replace.old)[..], &keys(new), &[came]].concat();
        let (argument, asked) = (
            wire::replacing(&replace, self.given(), lifetimes),
            self.now(),
        );
        let reply = self.script(&wire::REPLACE, &keys, &argument).await?;
        let replaced = wire::replaced(&reply).ok_or_else(StoreError::malformed)?;
        if let (Replaced::Done(record, _), Some(_)) = (&replaced, new) {
            self.learn(Some(record.meta.issued), asked);
        }
        Ok(replaced)
    }

    pub(crate) async fn end_all(
        &self,
        owner: &Key,
        asks: Option<&At>,
        keeps: bool,
    ) -> Result<bool, StoreError> {
        let epoch = epoch(owner);
        let own = asks.map_or(epoch, |asks| asks.session);
        let argument = wire::ending_all(asks.is_some(), keeps, self.given());
        let keys = [epoch, index(owner), own];
        let reply = self.script(&wire::END_ALL, &keys, &argument).await?;
        Ok(reply == "1")
    }

    pub(crate) async fn revoke(
        &self,
        owner: &Key,
        id: [u8; 16],
        asks: Option<&At>,
    ) -> Result<Ended, StoreError> {
        let own = asks.copied().unwrap_or_else(|| At::of_owner(owner, id));
        let argument = wire::revoking(id, asks.is_some(), self.given());
        let keys = [epoch(owner), index(owner), own.session];
        let reply = self.script(&wire::REVOKE, &keys, &argument).await?;
        wire::ended(&reply).ok_or_else(StoreError::malformed)
    }

    pub(crate) async fn list(
        &self,
        owner: &Key,
        asks: Option<&At>,
    ) -> Result<Option<Vec<Listed>>, StoreError> {
        let mut commands = vec![
            Command::new("HGETALL").key(&index(owner)),
            Command::new("GET").key(&epoch(owner)),
        ];
        commands.extend(asks.map(head));
        let mut replies = self.run(commands).await?.into_iter();
        let listed = replies.next().ok_or_else(StoreError::malformed)?;
        let listed = wire::listed(self.read(listed, &index(owner), HASH).await?);
        let at_epoch = replies.next().ok_or_else(StoreError::malformed)?;
        let epoch = self.read(at_epoch, &epoch(owner), STRING).await?.bytes();
        if let Some(asks) = asks {
            let of = replies.next().ok_or_else(StoreError::malformed)?;
            let of = self.read(of, &asks.session, STRING).await?;
            if !wire::is_of_epoch(&of, epoch.as_deref()) {
                return Ok(None);
            }
        }
        let looks = listed
            .iter()
            .map(|listed| head(&At::of_owner(owner, listed.digest)));
        let looks: Vec<_> = looks.collect();
        if looks.is_empty() {
            return Ok(Some(listed));
        }
        let looked = self.run(looks).await?;
        let mut alive = Vec::with_capacity(listed.len());
        for (listed, head) in listed.into_iter().zip(looked) {
            let session = At::of_owner(owner, listed.digest).session;
            let head = self.read(head, &session, STRING).await?;
            if wire::is_of_epoch(&head, epoch.as_deref()) {
                alive.push(listed);
            }
        }
        Ok(Some(alive))
    }

    async fn run(&self, commands: Vec<Command>) -> Result<Vec<Reply>, StoreError> {
        self.server.commands(commands, self.deadline).await
    }

    async fn script(
        &self,
        script: &tower_keep_store::Script,
        keys: &[Key],
        argument: &[u8],
    ) -> Result<Bytes, StoreError> {
        self.server.run(script, keys, argument, self.deadline).await
    }

    /// The time for scripts to go by; 0 for the server's own.
    fn given(&self) -> u64 {
        if self.clock.is_manual() {
            self.now()
        } else {
            0
        }
    }
}

/// Asks for the beginning of a session: its end and its epoch.
fn head(at: &At) -> Command {
    Command::new("GETRANGE").key(&at.session).arg("0").arg("32")
}

/// What the server calls the types of our keys.
const HASH: &str = "hash";
const STRING: &str = "string";
const NONE: &str = "none";
