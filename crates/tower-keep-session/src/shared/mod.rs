//! The sessions that processes share.
//!
//! A session is read by its server's own commands, which travel together; what changes one is a script that
//! first looks whether it is still there.

use bytes::Bytes;
use tower_keep_store::{Clock, Command, Key, Reply, Server, Store, StoreError};

use crate::{
    lifetimes::Lifetimes,
    place::{At, Listed, Replace, Replaced, Write, Written, epoch, index},
    record::Found,
};

mod wire;

/// The sessions on a server.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    server: Server,
    clock: Clock,
    deadline: std::time::Duration,
}

impl Shared {
    pub(crate) fn new(store: &Store, server: Server) -> Self {
        for script in [&wire::WRITE, &wire::RENEW, &wire::REPLACE, &wire::END_ALL] {
            server.prepare(script);
        }
        Self {
            server,
            clock: store.clock().clone(),
            deadline: store.step_deadline(),
        }
    }

    pub(crate) async fn load(&self, at: &At) -> Result<Found, StoreError> {
        let mut commands = vec![
            Command::new("HGETALL").key(&at.session),
            Command::new("PTTL").key(&at.session),
        ];
        if let Some(owner) = &at.owner {
            commands.push(Command::new("GET").key(&epoch(owner)));
        }
        let mut replies = self.run(commands).await?.into_iter();
        let fields = replies.next().ok_or_else(StoreError::malformed)?;
        let left = replies.next().and_then(|left| left.integer()).unwrap_or(0);
        let epoch = replies.next().and_then(Reply::bytes);
        Ok(wire::found(fields, left, epoch.as_deref()))
    }

    pub(crate) fn renew(&self, at: &At, lifetimes: &Lifetimes) {
        let argument = wire::renewal(self.given(), lifetimes);
        let (myself, session) = (self.clone(), at.session);
        self.server.spawn(async move {
            // What fails is tried again by the next request.
            let _renewed_or_not = myself.script(&wire::RENEW, &[session], &argument).await;
        });
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
        let keys = [keys(replace.old), keys(new)].concat();
        let argument = wire::replacing(&replace, self.given(), lifetimes);
        let reply = self.script(&wire::REPLACE, &keys, &argument).await?;
        wire::replaced(&reply).ok_or_else(StoreError::malformed)
    }

    pub(crate) async fn end_all(
        &self,
        owner: &Key,
        keep: Option<&At>,
        lifetimes: &Lifetimes,
    ) -> Result<bool, StoreError> {
        let epoch = epoch(owner);
        let kept = keep.map_or(epoch, |keep| keep.session);
        let argument = wire::ending_all(keep, lifetimes);
        let keys = [epoch, index(owner), kept];
        let reply = self.script(&wire::END_ALL, &keys, &argument).await?;
        Ok(reply == "1")
    }

    pub(crate) async fn list(&self, owner: &Key) -> Result<Vec<Listed>, StoreError> {
        let commands = vec![
            Command::new("HGETALL").key(&index(owner)),
            Command::new("GET").key(&epoch(owner)),
        ];
        let mut replies = self.run(commands).await?.into_iter();
        let listed = replies.next().map_or_else(Vec::new, wire::listed);
        let epoch = replies.next().and_then(Reply::bytes);
        let looks = listed.iter().map(|listed| {
            let at = At::of_owner(owner, listed.digest);
            Command::new("HGET").key(&at.session).arg("@e")
        });
        let looks: Vec<_> = looks.collect();
        if looks.is_empty() {
            return Ok(listed);
        }
        let epochs = self.run(looks).await?;
        let is_alive = |reply: &Reply| wire::is_of_epoch(reply, epoch.as_deref());
        let alive = listed.into_iter().zip(&epochs);
        Ok(alive
            .filter(|(_, reply)| is_alive(reply))
            .map(|(listed, _)| listed)
            .collect())
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
            self.clock.now().as_micros() / 1000
        } else {
            0
        }
    }
}
