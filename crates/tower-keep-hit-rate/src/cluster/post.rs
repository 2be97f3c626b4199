//! To the server and back: one script to tell, one to ask.

use std::{str, sync::LazyLock, time::Duration};

use bytes::{Buf, Bytes};
use tower_keep_store::{Clock, Key, Script, Server, Store, StoreError};

use super::peers::{Letter, View};

/// The place on the server where processes tell how they stand.
#[derive(Debug)]
pub(super) struct Post {
    server: Server,
    clock: Clock,
    keys: [Key; 2],
    /// How long what is told lives, in milliseconds.
    lives: u128,
}

impl Post {
    /// None where the store is embedded: there are no others.
    pub(super) fn of(store: &Store, every: Duration) -> Option<Self> {
        let server = store.server()?;
        server.prepare(&TELL);
        server.prepare(&ASK);
        let snapshots = Key::new("h", b"");
        Some(Self {
            server,
            clock: store.clock().clone(),
            keys: [snapshots, snapshots.part(1)],
            lives: LIVES * every.as_millis(),
        })
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
        let head = format!("{process:016x}{number:016}{given:016}{lives:016}");
        let argument = [head.as_bytes(), snapshot].concat();
        let told = self.server.run(&TELL, &self.keys, &argument, DEADLINE);
        told.await.map(drop)
    }

    /// What all have told.
    pub(super) async fn ask(&self, read_at: u64) -> Result<View, StoreError> {
        let argument = format!("{:016}{:016}", self.given(), self.lives);
        let asked = self
            .server
            .run(&ASK, &self.keys, argument.as_bytes(), DEADLINE);
        read(asked.await?, read_at).ok_or_else(StoreError::malformed)
    }

    /// The time to go by, in milliseconds, if a test moves the clock; else 0, the server's.
    fn given(&self) -> u128 {
        if !self.clock.is_manual() {
            return 0;
        }
        u128::from(self.clock.now().as_micros() / 1000)
    }
}

fn read(mut answer: Bytes, read_at: u64) -> Option<View> {
    let mut view = View {
        read_at,
        now: digits(&mut answer, 16, 10)?,
        letters: Vec::new(),
        ignored: 0,
    };
    while answer.has_remaining() {
        let from = digits(&mut answer, 16, 16);
        let at = digits(&mut answer, 16, 10)?;
        let length = usize::try_from(digits(&mut answer, 8, 10)?).ok()?;
        if length > answer.len() {
            return None;
        }
        let snapshot = answer.split_to(length);
        match from {
            Some(from) => view.letters.push(Letter { from, at, snapshot }),
            None => view.ignored += 1,
        }
    }
    Some(view)
}

fn digits(answer: &mut Bytes, length: usize, radix: u32) -> Option<u64> {
    let digits = (length <= answer.len()).then(|| answer.split_to(length))?;
    u64::from_str_radix(str::from_utf8(&digits).ok()?, radix).ok()
}

static TELL: LazyLock<Script> =
    LazyLock::new(|| Script::new("hit_rate_tell", include_str!("tell.lua")));

static ASK: LazyLock<Script> =
    LazyLock::new(|| Script::new("hit_rate_ask", include_str!("ask.lua")));

/// Intervals.
const LIVES: u128 = 60;

/// Nobody waits for it.
const DEADLINE: Duration = Duration::from_secs(1);
