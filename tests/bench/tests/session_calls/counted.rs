//! What the server was asked, by its own count.

use std::{collections::BTreeMap, fmt};

use tower_keep_bench::Request;
use tower_keep_test_support::{RedisServer, Reply};

type Calls = BTreeMap<String, u64>;

/// What one request of several alike cost.
pub(crate) struct Cost<'a> {
    server: &'a RedisServer,
    requests: u64,
    /// What clients sent about sessions, and what the store's log did meanwhile; by the slow log, which knows
    /// who it was.
    sent: Calls,
    log: u64,
    /// All calls but for the upkeep of connections; those of scripts are counted too.
    calls: Calls,
    /// How often the server read something from a connection.
    reads: u64,
}

/// Sends the requests one after the other.
pub(crate) async fn counted<'a>(
    server: &'a RedisServer,
    requests: &[Request],
    send: impl AsyncFn(Request),
) -> Cost<'a> {
    server.command(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    server.command(&["CONFIG", "SET", "slowlog-max-len", "100000"]);
    server.command(&["SLOWLOG", "RESET"]);
    server.reset_stats();
    // What asking costs by itself.
    let asking = reads(server);
    let asking = reads(server) - asking;
    server.reset_stats();
    for request in requests {
        send(request.clone()).await;
    }
    let mut cost = Cost {
        server,
        requests: u64::try_from(requests.len()).expect("few"),
        sent: Calls::new(),
        log: 0,
        calls: Calls::new(),
        reads: reads(server).saturating_sub(asking),
    };
    cost.look_again();
    cost
}

impl Cost<'_> {
    /// What nobody waits for may come later.
    fn look_again(&mut self) {
        let Reply::Array(Some(entries)) = self.server.command(&["SLOWLOG", "GET", "100000"]) else {
            panic!("SLOWLOG answers with a list");
        };
        (self.sent, self.log) = (Calls::new(), 0);
        for entry in entries {
            let (words, is_of_script) = words(entry);
            let name = words[0].to_lowercase();
            if UPKEEP.contains(&name.as_str()) || is_of_script {
                continue;
            }
            if words.iter().any(|word| word.starts_with("keep:log")) {
                self.log += 1;
            } else {
                *self.sent.entry(name).or_default() += 1;
            }
        }
        self.calls = self.server.command_stats();
        self.log += self.calls.get("xread").copied().unwrap_or(0);
        self.calls.retain(|name, _| {
            let name = name.split('|').next().unwrap_or_default();
            !UPKEEP.contains(&name)
        });
    }

    /// Whether all requests together have sent so many of these by now.
    pub(crate) fn has_sent(&mut self, name: &str, calls: u64) -> bool {
        // Of what the log did, only what it did before the reads were counted is among them.
        let log = self.log;
        self.look_again();
        self.log = log;
        self.sent.get(name) == Some(&calls)
    }

    /// What one request sent; of what not all of them sent, there must be nothing.
    pub(crate) fn sent(&self) -> Calls {
        let each = self.sent.iter().map(|(name, calls)| {
            assert_eq!(
                calls % self.requests,
                0,
                "{name} of {} requests",
                self.requests
            );
            (name.clone(), calls / self.requests)
        });
        each.collect()
    }

    /// How often one request waited for the server. The log's own are left out; one more or less of the
    /// server's upkeep does no harm.
    pub(crate) fn round_trips(&self) -> u64 {
        let reads = self.reads.saturating_sub(self.log);
        (reads + self.requests / 2) / self.requests
    }

    /// What scripts called.
    fn inside(&self) -> Calls {
        let mut inside = self.calls.clone();
        for (name, calls) in &mut inside {
            *calls -= self.sent.get(name).copied().unwrap_or(0).min(*calls);
            *calls /= self.requests;
        }
        inside.remove("evalsha");
        inside.retain(|_, calls| *calls > 0);
        inside
    }
}

impl fmt::Display for Cost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |calls: &Calls| {
            let words = calls.iter().map(|(name, calls)| match calls {
                1 => name.clone(),
                _ => format!("{calls} {name}"),
            });
            words.collect::<Vec<_>>().join(" ")
        };
        write!(f, "{} rt {}", self.round_trips(), list(&self.sent()))?;
        let inside = self.inside();
        if !inside.is_empty() {
            write!(f, " ({})", list(&inside))?;
        }
        Ok(())
    }
}

/// The words of a command, and whether a script called it.
fn words(entry: Reply) -> (Vec<String>, bool) {
    let Reply::Array(Some(entry)) = entry else {
        panic!("an entry is a list");
    };
    let Reply::Array(Some(words)) = &entry[3] else {
        panic!("a command is a list");
    };
    let words = words.iter().filter_map(Reply::text).collect();
    (words, entry[4].text().is_some_and(|from| from == "?:0"))
}

fn reads(server: &RedisServer) -> u64 {
    let stats = server.command(&["INFO", "stats"]).text();
    let stats = stats.expect("INFO answers with text");
    let count = stats
        .lines()
        .find_map(|line| line.strip_prefix("total_reads_processed:"));
    count.expect("it counts").parse().expect("a number")
}

/// What is not done for a request: questions of the test, connections, and the log's reader.
const UPKEEP: [&str; 9] = [
    "info", "config", "slowlog", "keys", "hello", "client", "ping", "xread", "script",
];
