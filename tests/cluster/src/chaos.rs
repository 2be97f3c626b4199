use std::time::Duration;

use tokio::{task::block_in_place, time::sleep};
use tower_keep_test_support::{Direction, Random, RedisServer, Reply};

use crate::Node;

/// What breaks, and comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chaos {
    /// A process is killed and started again.
    Kill,
    /// A process is paused for a while (`SIGSTOP`).
    Pause,
    /// All connections of a process to Redis are cut.
    Cut,
    /// One is cut in the middle of what is being said.
    CutWithin,
    /// The connections on which processes follow the log are cut.
    CutLogs,
    /// A process cannot be told anything for a while, and does not notice.
    Hang,
    /// A process cannot reach Redis for a while.
    Refuse,
    /// The log's records are dropped.
    TrimLog,
    /// The newest half of the log is left.
    HalveLog,
    /// The log is evicted.
    EvictLog,
    /// Everything is.
    FlushAll,
    /// The server is killed and started again, empty.
    Restart,
    /// All processes are led to the other server, which did not follow this one: it has what it had when it
    /// was left.
    FailOver,
}

impl Chaos {
    /// All kinds but a fail-over.
    pub const ON_ONE_SERVER: &[Self] = Self::ALL.split_at(1).1;

    /// All kinds.
    pub const ALL: &[Self] = &[
        Self::FailOver,
        Self::Kill,
        Self::Pause,
        Self::Cut,
        Self::CutWithin,
        Self::CutLogs,
        Self::Hang,
        Self::Refuse,
        Self::TrimLog,
        Self::HalveLog,
        Self::EvictLog,
        Self::FlushAll,
        Self::Restart,
    ];

    /// Lets it happen, to this node if it happens to one, and end.
    pub async fn happens(self, node: &mut Node, redis: &mut RedisServer, random: &mut Random) {
        let a_while = Duration::from_millis(20 + random.below(LONGEST_MILLIS));
        match self {
            Self::Kill => node.restart(),
            Self::Pause => {
                node.pause();
                sleep(a_while).await;
                node.resume();
            }
            Self::Cut => node.proxy().cut().await,
            Self::CutWithin => {
                let direction = random.pick(&[Direction::ToClient, Direction::ToServer]);
                node.proxy().cut_after(direction, 1 + random.index(20_000));
            }
            Self::CutLogs => cut_logs(redis),
            Self::Hang => {
                node.proxy().hang().await;
                sleep(a_while).await;
                node.proxy().resume().await;
            }
            Self::Refuse => {
                node.proxy().refuse().await;
                sleep(a_while).await;
                node.proxy().resume().await;
            }
            Self::TrimLog => run(redis, &["XTRIM", LOG, "MAXLEN", "0"]),
            Self::HalveLog => {
                let length = redis.command(&["XLEN", LOG]);
                if let Reply::Integer(length) = length {
                    let half = (length / 2).to_string();
                    run(redis, &["XTRIM", LOG, "MAXLEN", &half]);
                }
            }
            Self::EvictLog => run(redis, &["DEL", LOG]),
            Self::FailOver => unreachable!("it happens to all nodes"),
            Self::FlushAll => run(redis, &["FLUSHALL"]),
            Self::Restart => block_in_place(|| redis.restart()),
        }
    }
}

fn run(redis: &RedisServer, words: &[&str]) {
    let _reply = redis.command(words);
}

/// Those that wait in `XREAD`.
fn cut_logs(redis: &RedisServer) {
    let list = redis.command(&["CLIENT", "LIST"]);
    let list = list.text().expect("CLIENT LIST answers with text");
    for line in list.lines().filter(|line| line.contains(" cmd=xread ")) {
        let id = line
            .strip_prefix("id=")
            .and_then(|rest| rest.split(' ').next());
        run(redis, &["CLIENT", "KILL", "ID", id.expect("an id")]);
    }
}

/// The log of the default namespace.
pub(crate) const LOG: &str = "keep:log";

const LONGEST_MILLIS: u64 = 1_200;
