//! To the server and back: a script to tell; to ask, a script that lists who told, and their snapshots.

use std::{str, sync::LazyLock, time::Duration};

use bytes::{Buf, Bytes};
use tower_keep_store::{Clock, Command, Key, Reply, Script, Server, Store, StoreError};

use super::{
    peers::{Letter, View},
    wire::LONGEST,
};

/// The place on the server where processes tell how they stand.
#[derive(Debug)]
pub(super) struct Post {
    server: Server,
    clock: Clock,
    keys: [Key; 2],
    /// How long what is told lives, in milliseconds.
    lives: u128,
}

/// Somebody who told.
#[derive(Debug)]
struct Listed {
    name: Bytes,
    from: u64,
    at: u64,
    length: usize,
}

impl Post {
    /// None where the store is embedded: there are no others.
    pub(super) fn of(store: &Store, every: Duration) -> Option<Self> {
        let server = store.server()?;
        server.prepare(&TELL);
        server.prepare(&LIST);
        let snapshots = Key::new("h", b"");
        Some(Self {
            server,
            clock: store.clock().clone(),
            keys: [snapshots, snapshots.part(1)],
            lives: LIVES * every.as_millis(),
        })
    }

    pub(super) fn lives(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.lives).unwrap_or(u64::MAX))
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// Tells how `process` stands, for the so many-th time.
    pub(super) async fn tell(
        &self,
        process: u64,
        number: u64,
        snapshot: &[u8],
    ) -> Result<(), StoreError> {
        let (given, lives) = (self.given(), self.lives);
        let head = format!("{process:016x}{number:0NUMBER$}{given:016}{lives:016}");
        let argument = [head.as_bytes(), snapshot].concat();
        let told = self.server.run(&TELL, &self.keys, &argument, DEADLINE);
        told.await.map(drop)
    }

    /// What all have told, a part at a time: the server is held up by none of them.
    pub(super) async fn ask(&self, read_at: u64) -> Result<View, StoreError> {
        let argument = format!("{:016}{:016}", self.given(), self.lives);
        let argument = argument.as_bytes();
        let list = self.server.run(&LIST, &self.keys, argument, DEADLINE);
        let listed = list_in(list.await?, read_at);
        let (mut view, mut listed) = listed.ok_or_else(StoreError::malformed)?;
        while !listed.is_empty() {
            let rest = listed.split_off(part_of(&listed));
            self.fetch(&listed, &mut view).await?;
            listed = rest;
        }
        Ok(view)
    }

    async fn fetch(&self, part: &[Listed], view: &mut View) -> Result<(), StoreError> {
        let command = Command::new("HMGET").key(&self.keys[0]);
        let command = part
            .iter()
            .fold(command, |command, one| command.arg(&one.name[..]));
        let replies = self.server.commands(vec![command], DEADLINE).await?;
        let Some(Reply::List(values)) = replies.into_iter().next() else {
            return Err(StoreError::malformed());
        };
        for (one, value) in part.iter().zip(values) {
            match value {
                Reply::Bytes(bytes) if can_be_read(bytes.len()) => view.letters.push(Letter {
                    from: one.from,
                    at: one.at,
                    snapshot: bytes.slice(NUMBER..),
                }),
                // Gone since it was listed.
                Reply::Nil => {}
                _ => view.ignored += 1,
            }
        }
        Ok(())
    }

    /// The time to go by, in milliseconds, if a test moves the clock; else 0, the server's.
    fn given(&self) -> u128 {
        if !self.clock.is_manual() {
            return 0;
        }
        u128::from(self.clock.now().as_micros() / 1000)
    }
}

/// A view without snapshots, and whose are to be fetched.
fn list_in(mut answer: Bytes, read_at: u64) -> Option<(View, Vec<Listed>)> {
    let (now, mut room) = (number(&take(&mut answer, 16)?, 10)?, ROOM);
    let (mut listed, mut ignored) = (Vec::new(), 0);
    while answer.has_remaining() {
        let name = take(&mut answer, 16)?;
        let at = number(&take(&mut answer, 16)?, 10)?;
        let length = usize::try_from(number(&take(&mut answer, 8)?, 10)?).ok()?;
        match number(&name, 16) {
            Some(from) if can_be_read(length) && length <= room => {
                room -= length;
                listed.push(Listed {
                    name,
                    from,
                    at,
                    length,
                });
            }
            _ => ignored += 1,
        }
    }
    let view = View {
        read_at,
        now,
        letters: Vec::new(),
        ignored,
    };
    Some((view, listed))
}

/// How many of them are fetched at once: at least one.
fn part_of(listed: &[Listed]) -> usize {
    let mut length = 0;
    let fit = listed.iter().take_while(|one| {
        length += one.length;
        length <= PART
    });
    fit.count().max(1)
}

fn can_be_read(length: usize) -> bool {
    (NUMBER..=NUMBER + LONGEST).contains(&length)
}

fn take(answer: &mut Bytes, length: usize) -> Option<Bytes> {
    (length <= answer.len()).then(|| answer.split_to(length))
}

fn number(digits: &[u8], radix: u32) -> Option<u64> {
    u64::from_str_radix(str::from_utf8(digits).ok()?, radix).ok()
}

static TELL: LazyLock<Script> =
    LazyLock::new(|| Script::new("hit_rate_tell", include_str!("tell.lua")));

static LIST: LazyLock<Script> =
    LazyLock::new(|| Script::new("hit_rate_list", include_str!("list.lua")));

/// Intervals.
const LIVES: u128 = 60;

/// Nobody waits for it.
const DEADLINE: Duration = Duration::from_secs(1);

/// Digits before a snapshot: the number of the telling.
const NUMBER: usize = 16;

/// Bytes that are read at most, and about as many as the server is asked for at once.
const ROOM: usize = 4 << 20;
const PART: usize = 256 << 10;
