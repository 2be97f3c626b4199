//! How many processes share a namespace.

use std::{
    fmt,
    sync::{
        Arc, LazyLock, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use crate::{
    key::Key,
    log::random,
    server::{Script, Server},
};

/// The processes that share a namespace of a server, counted by their heartbeats.
///
/// One sorted set, `namespace:p:{…}`, with a member for each process and the server's time as its score;
/// its time to live is that of a heartbeat. A process that dies is counted for about five seconds more. While
/// the server cannot be reached, the last count stands: that is what it is for.
#[derive(Clone, Debug)]
pub struct Processes {
    known: Arc<Known>,
}

struct Known {
    /// Names this process among the others.
    id: u64,
    count: AtomicU32,
}

impl Processes {
    /// This one alone.
    pub(crate) fn embedded() -> Self {
        let known = Known {
            id: random(),
            count: AtomicU32::new(1),
        };
        Self {
            known: Arc::new(known),
        }
    }

    /// Begins to tell of this process, until the last clone is dropped.
    pub(crate) fn shared(server: &Server) -> Self {
        let processes = Self::embedded();
        server.prepare(&HEARTBEAT);
        server.spawn(beat(server.clone(), Arc::downgrade(&processes.known)));
        processes
    }

    /// The processes that were alive when the server was last heard of, this one among them; 1 before it
    /// was ever heard of.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.known.count.load(Ordering::Relaxed)
    }

    /// A random number that is this process's own.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.known.id
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

async fn beat(server: Server, known: Weak<Known>) {
    let key = Key::new("p", b"");
    let mut lately = [1; COUNTS];
    for turn in (0..COUNTS).cycle() {
        let Some(id) = known.upgrade().map(|known| known.id) else {
            return;
        };
        let argument = format!("{id:016x}");
        let answer = server
            .run(&HEARTBEAT, &[key], argument.as_bytes(), DEADLINE)
            .await;
        let count = answer.ok().and_then(|count| parse(&count));
        if let (Some(count), Some(known)) = (count, known.upgrade()) {
            // A server that came back empty knows only those that it has heard of since.
            lately[turn] = count;
            let most = lately.iter().copied().fold(1, u32::max);
            known.count.store(most, Ordering::Relaxed);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

fn parse(count: &[u8]) -> Option<u32> {
    std::str::from_utf8(count).ok()?.parse().ok()
}

static HEARTBEAT: LazyLock<Script> =
    LazyLock::new(|| Script::new("heartbeat", include_str!("heartbeat.lua")));

/// Answers that count: the largest of them does.
const COUNTS: usize = 3;

/// How often each process tells that it lives.
const INTERVAL: Duration = Duration::from_secs(1);

/// Nobody waits for a heartbeat.
const DEADLINE: Duration = Duration::from_millis(500);
