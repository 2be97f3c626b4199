//! Real processes, of which one is killed, on a server that is restarted, through a network that fails.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    env,
    time::Duration,
};

use tokio::time::Instant;
use tower_keep_hit_rate::{Cluster, Outcomes};
use tower_keep_store::Outcome;
use tower_keep_test_support::{
    Direction, Program, Random, RedisServer, TcpProxy, eventually, seed,
};

use crate::tools::{LONG, Process, keys};

/// What is told lives twelve seconds.
const EVERY: Duration = Duration::from_millis(200);

const CLASSES: [&str; 3] = ["a", "b", "c"];

const OUTCOMES: [(&str, Outcome); 4] = [
    ("hit", Outcome::Hit),
    ("stale", Outcome::Stale),
    ("miss", Outcome::Miss),
    ("bypass", Outcome::Bypass),
];

/// The server that the child is to tell.
const SERVER: &str = "KEEP_TEST_CLUSTER_ON";

/// Requests by class and outcome.
type Truth = BTreeMap<(&'static str, &'static str), u64>;

/// A child of this process, killed on drop, and what it has counted.
struct Counter {
    program: Program,
    truth: Truth,
}

impl Counter {
    fn start(address: &TcpProxy) -> Self {
        let name = "processes::a_process_that_counts";
        let url = format!("redis://{}", address.address());
        let mut counter = Self {
            program: Program::this(name).env(SERVER, url).start(),
            truth: Truth::new(),
        };
        counter.wait();
        counter
    }

    /// Has it count some requests.
    fn count(&mut self, random: &mut Random) {
        let (class, outcome) = (random.pick(&CLASSES), random.pick(&OUTCOMES).0);
        let many = random.size(50);
        // Before it does: it is never more than the truth.
        *self.truth.entry((class, outcome)).or_default() += many;
        self.program.tell(&format!("{class} {outcome} {many}"));
        self.wait();
    }

    fn wait(&mut self) {
        self.program.says("done");
    }

    /// `SIGKILL`.
    fn kill(&mut self) {
        self.program.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the test below"]
#[allow(clippy::print_stdout)]
async fn a_process_that_counts() {
    let Ok(url) = env::var(SERVER) else {
        return;
    };
    let mut process = Process::on(&url, EVERY);
    println!("done");
    for order in std::io::stdin().lines() {
        let order = order.expect("text");
        let words: Vec<_> = order.split(' ').collect();
        let [class, outcome, many] = words[..] else {
            panic!("three words: {order}");
        };
        let named = OUTCOMES.iter().find(|(name, _)| *name == outcome);
        let outcome = named.expect("an outcome").1;
        let many = many.parse().expect("a number");
        process.count(class, outcome, many).await;
        println!("done");
    }
}

fn of(outcomes: &Outcomes, name: &str) -> u64 {
    match name {
        "hit" => outcomes.hit,
        "stale" => outcomes.stale,
        "miss" => outcomes.miss,
        _ => outcomes.bypass,
    }
}

fn truth<'a>(counters: impl IntoIterator<Item = &'a Counter>) -> Truth {
    let mut truth = Truth::new();
    for counter in counters {
        for (what, many) in &counter.truth {
            *truth.entry(*what).or_default() += many;
        }
    }
    truth
}

/// Since the start; windows are never more.
fn merged(cluster: &Cluster) -> Truth {
    let mut merged = Truth::new();
    for class in CLASSES {
        let Some(found) = cluster.class(class) else {
            continue;
        };
        let all = &found.since_start.outcomes;
        for (outcome, _) in OUTCOMES {
            let many = of(all, outcome);
            if many > 0 {
                merged.insert((class, outcome), many);
            }
            for window in [&found.minute, &found.five_minutes, &found.hour] {
                assert!(of(&window.outcomes, outcome) <= many);
            }
        }
    }
    merged
}

fn assert_not_more(cluster: &Cluster, truth: &Truth) {
    for (what, many) in merged(cluster) {
        let most = truth.get(&what).copied().unwrap_or(0);
        assert!(many <= most, "{what:?}: {many}, but there were {most}");
    }
}

/// Three processes behind networks of their own, and one that only looks.
struct Scene {
    random: Random,
    server: RedisServer,
    proxies: Vec<TcpProxy>,
    counters: Vec<Counter>,
    reader: Process,
    checks: u64,
    taken: u64,
    dropped: u64,
}

impl Scene {
    async fn new(seed: u64) -> Self {
        let server = RedisServer::start();
        let mut proxies = Vec::new();
        for _ in 0..3 {
            proxies.push(TcpProxy::start(server.address()).await);
        }
        Self {
            random: Random::new(seed),
            reader: Process::on(&server.url(), EVERY),
            counters: proxies.iter().map(Counter::start).collect(),
            server,
            proxies,
            checks: 0,
            taken: 0,
            dropped: 0,
        }
    }

    /// Some requests somewhere, during which a flush is taken, or dropped about one time in five; now and then the
    /// network breaks, between commands or in the middle of one.
    async fn round(&mut self, living: std::ops::Range<usize>) {
        let one = living.start + self.random.index(living.len());
        self.counters[one].count(&mut self.random);
        self.check();
        // In the other rounds there is sometimes more than one.
        let is_dropped = self.random.one_in(4);
        let before = self.flushes();
        if is_dropped {
            self.server
                .command(&["ACL", "SETUSER", "default", "-evalsha"]);
        }
        if self.random.one_in(8) {
            let bytes = 1 + self.random.index(3000);
            self.proxies[one].cut_after(Direction::ToServer, bytes);
        }
        let is_over = async || {
            let now = self.flushes();
            if is_dropped {
                now.1 > before.1
            } else {
                now.0 > before.0
            }
        };
        eventually(LONG, is_over).await;
        let after = self.flushes();
        self.taken += after.0 - before.0;
        self.dropped += after.1 - before.1;
        self.server.command(&["ACL", "SETUSER", "default", "+@all"]);
        self.check();
    }

    fn check(&mut self) {
        let truth = truth(&self.counters);
        assert_not_more(&self.reader.cluster(), &truth);
        self.checks += 1;
    }

    /// How often each process has told, of those that the server knows.
    fn tellings(&self) -> BTreeMap<String, u64> {
        let Some([snapshots, _]) = keys(&self.server) else {
            return BTreeMap::new();
        };
        let script = "local told = redis.call('HGETALL', KEYS[1])
            for i = 2, #told, 2 do told[i] = string.sub(told[i], 1, 16) end
            return table.concat(told, ' ')";
        let reply = self.server.command(&["EVAL", script, "1", &snapshots]);
        let text = reply.text().expect("text");
        let words: Vec<_> = text.split_whitespace().collect();
        let told = words.chunks_exact(2);
        told.map(|told| (told[0].to_owned(), told[1].parse().expect("a number")))
            .collect()
    }

    /// Those that the server took, and those that it refused.
    fn flushes(&self) -> (u64, u64) {
        let reply = self.server.command(&["INFO", "commandstats"]);
        let text = reply.text().expect("text");
        let number = |command: &str, field: &str| -> u64 {
            let line = text.lines().find(|line| line.starts_with(command));
            let fields = line.and_then(|line| line.split_once(field));
            let digits = fields.map_or("", |(_, rest)| rest.split(',').next().unwrap_or(""));
            digits.trim().parse().unwrap_or(0)
        };
        (
            number("cmdstat_hset:", "calls="),
            number("cmdstat_evalsha:", "rejected_calls="),
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_never_exceed_the_truth_and_reach_it_one_flush_after_recovery() {
    let mut scene = Scene::new(seed()).await;
    for _ in 0..50 {
        scene.round(0..3).await;
    }
    // Recovered: the next flush of each makes good what was lost.
    let all = truth(&scene.counters);
    eventually(LONG, async || merged(&scene.reader.cluster()) == all).await;

    scene.counters[0].kill();
    let dead = truth(&scene.counters[..1]);
    for _ in 0..15 {
        scene.round(1..3).await;
        // What it told stays.
        let now = merged(&scene.reader.cluster());
        for (what, many) in &dead {
            assert!(now.get(what).is_some_and(|sum| sum >= many), "{what:?}");
        }
    }
    let all = truth(&scene.counters);
    eventually(LONG, async || merged(&scene.reader.cluster()) == all).await;

    // The server dies, and comes back empty; those who live go on counting.
    scene.server.kill();
    for _ in 0..10 {
        for counter in &mut scene.counters[1..] {
            counter.count(&mut scene.random);
        }
        scene.check();
    }
    scene.server.restart();
    let everything = truth(&scene.counters);
    let living = truth(&scene.counters[1..]);
    // What each tells first may have been made before, and have waited; what it tells next was not.
    let (first, partial) = (RefCell::new(BTreeMap::new()), Cell::new(0));
    eventually(LONG, async || {
        assert_not_more(&scene.reader.cluster(), &everything);
        let (now, mut first) = (scene.tellings(), first.borrow_mut());
        partial.set(partial.get() + u64::from(now.len() < 3));
        let mut has_told = |(process, number): &(&String, &u64)| {
            let told = first.entry((*process).clone()).or_insert(**number);
            *number > told
        };
        // All are looked at, and what they told first is noted.
        now.iter().filter(|one| has_told(one)).count() == 3
    })
    .await;
    let told = Instant::now();
    let is_read_since = |cluster: &Cluster| {
        let age = cluster.view_age_seconds.expect("it was read before");
        age < told.elapsed().as_secs_f64()
    };
    eventually(LONG, async || is_read_since(&scene.reader.cluster())).await;
    assert_eq!(merged(&scene.reader.cluster()), living);
    #[allow(clippy::print_stderr)]
    {
        let (taken, dropped, checks) = (scene.taken, scene.dropped, scene.checks);
        let partial = partial.get();
        eprintln!(
            "{taken} flushes taken, {dropped} refused, {checks} checks, {partial} partial views"
        );
    }
    assert!(scene.dropped >= 5, "hardly any was dropped");
}
