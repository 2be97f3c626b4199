use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinSet, time::sleep};
use tower_keep_test_support::{Random, RedisServer, holds_within};

use crate::{
    Chaos, Client, Cluster, Database, Ledger, Life, Node, Report, Subject,
    app::{COLOURS, GROUPS, OBJECTS},
};

/// How much is to happen.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Answers to be checked, at least.
    pub answers: u64,
    /// Things that break meanwhile, at least.
    pub events: usize,
    /// What may break.
    pub chaos: &'static [Chaos],
    /// Items of which there is talk.
    pub items: u64,
    /// Clients of each process that read.
    pub readers: usize,
    /// Clients that write, through any process.
    pub writers: usize,
    /// How many in a hundred changes the application makes itself, and announces or not; the others somebody
    /// makes, and has them invalidated.
    pub writes: u64,
    /// How long what was invalidated elsewhere may be shown.
    pub bound: Duration,
}

/// What happened.
#[derive(Debug)]
pub struct Schedule {
    /// What readers were shown.
    pub report: Report,
    /// How often what broke.
    pub events: BTreeMap<Chaos, usize>,
    /// How often the database was asked.
    pub fetches: usize,
    /// How long it took.
    pub took: Duration,
}

/// What readers and writers share.
#[derive(Debug)]
struct Scene {
    ledger: Ledger,
    database: Arc<Database>,
    lives: Vec<watch::Receiver<Life>>,
    plan: Plan,
    is_over: AtomicBool,
}

impl Schedule {
    /// Readers and writers do what the seed says, in an order that nobody chose, while things break;
    /// until enough has happened, or something is wrong.
    pub async fn run(cluster: &mut Cluster, plan: Plan, seed: u64) -> Self {
        let start = Instant::now();
        let mut random = Random::new(seed);
        let noise = Random::new(random.any());
        cluster.database.slow(SLOW_ONE_IN, SLOWEST, noise);
        let scene = Arc::new(Scene {
            ledger: Ledger::new(cluster.database.items(), plan.bound),
            database: cluster.database.clone(),
            lives: cluster.nodes.iter().map(Node::lives).collect(),
            plan,
            is_over: AtomicBool::new(false),
        });
        let mut tasks = JoinSet::new();
        for node in 0..cluster.nodes.len() {
            for _ in 0..plan.readers {
                tasks.spawn(scene.clone().read(node, Random::new(random.any())));
            }
        }
        for _ in 0..plan.writers {
            tasks.spawn(scene.clone().write(Random::new(random.any())));
        }
        let events = scene
            .break_things(
                &mut cluster.nodes,
                [&mut cluster.redis, &mut cluster.standby],
                random,
            )
            .await;
        scene.is_over.store(true, Ordering::SeqCst);
        while let Some(ended) = tasks.join_next().await {
            ended.expect("a reader or writer that ends well");
        }
        Self {
            report: scene.ledger.seen(),
            events,
            fetches: cluster.database.fetches(),
            took: start.elapsed(),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.events.iter();
        let events: Vec<_> = events
            .map(|(what, many)| format!("{many} {what:?}"))
            .collect();
        writeln!(
            f,
            "{:.1?}, {} fetches; broken: {}",
            self.took,
            self.fetches,
            events.join(", ")
        )?;
        self.report.fmt(f)
    }
}

impl Scene {
    async fn break_things(
        &self,
        nodes: &mut [Node],
        [mut master, mut other]: [&mut RedisServer; 2],
        mut random: Random,
    ) -> BTreeMap<Chaos, usize> {
        let mut events = BTreeMap::<_, usize>::new();
        loop {
            let happened = events.values().sum::<usize>();
            sleep(Duration::from_millis(random.below(LONGEST_REST_MILLIS))).await;
            self.reaches(happened).await;
            let seen = self.ledger.seen();
            if seen.answers >= self.plan.answers && happened >= self.plan.events || seen.wrong > 0 {
                return events;
            }
            let chaos = random.pick(self.plan.chaos);
            if chaos == Chaos::FailOver {
                std::mem::swap(&mut master, &mut other);
                for node in &mut *nodes {
                    node.proxy().lead_to(master.address()).await;
                }
            } else {
                let node = random.index(nodes.len());
                chaos.happens(&mut nodes[node], master, &mut random).await;
            }
            *events.entry(chaos).or_default() += 1;
        }
    }

    /// Waits until as large a part of the answers has come as of the events has happened: a slow machine
    /// sees no more of these. Not long: perhaps nobody can answer before something else happens.
    async fn reaches(&self, happened: usize) {
        let part = happened.min(self.plan.events) as u64;
        let answers = self.plan.answers * part / self.plan.events as u64;
        let reaches = async || {
            let seen = self.ledger.seen();
            seen.answers >= answers || seen.wrong > 0
        };
        holds_within(Duration::from_secs(1), reaches).await;
    }

    /// One client of one process.
    async fn read(self: Arc<Self>, node: usize, mut random: Random) {
        let mut connected = None;
        while !self.is_over() {
            let Some((client, life)) = &mut connected else {
                connected = self.connect(node).await;
                continue;
            };
            let subject = self.subject(&mut random);
            let asked = self.ledger.asks(subject, *life);
            let Some(answer) = client.try_get(&path(subject)).await else {
                self.ledger.is_unanswered();
                connected = None;
                continue;
            };
            let version = answer
                .version()
                .unwrap_or_else(|| panic!("{subject:?}: {answer:?}"));
            let committed = self.database.version(subject.item);
            self.ledger
                .is_shown(asked, version, committed, answer.is_hit());
        }
    }

    /// One client that changes something, then invalidates it.
    async fn write(self: Arc<Self>, mut random: Random) {
        while !self.is_over() {
            let node = random.index(self.lives.len());
            if let Some((client, life)) = self.connect(node).await {
                let known = match random.below(100) < self.plan.writes {
                    true => self.write_through(client, &mut random).await,
                    false => self.invalidate(client, &mut random).await,
                };
                match known {
                    Some(versions) => self.ledger.invalidated(&versions, life),
                    None => self.ledger.is_unsure(),
                }
            }
            sleep(Duration::from_micros(random.below(LONGEST_THOUGHT_MICROS))).await;
        }
    }

    /// The application changes an item; what is certain then.
    async fn write_through(
        &self,
        mut client: Client,
        random: &mut Random,
    ) -> Option<Vec<(Subject, u64)>> {
        let item = random.below(self.plan.items);
        let way = random.pick(&["write", "put", "put-announced"]);
        let version = client.try_change(way, item).await?;
        let both = [true, false].map(|is_page| (Subject { is_page, item }, version));
        Some(both.to_vec())
    }

    /// Somebody changes items, and has them invalidated; what is certain then.
    async fn invalidate(
        &self,
        mut client: Client,
        random: &mut Random,
    ) -> Option<Vec<(Subject, u64)>> {
        let (what, versions) = self.change(random);
        let is_sure = client.try_invalidate(&what).await?;
        is_sure.then_some(versions)
    }

    /// Commits new versions; how to invalidate them, and what is certain then.
    fn change(&self, random: &mut Random) -> (String, Vec<(Subject, u64)>) {
        let item = random.below(self.plan.items);
        let (what, subjects) = self.target(item, random);
        let items = subjects.iter().map(|subject| subject.item);
        let committed = self.database.commit_all(items);
        let version = |subject: Subject| (subject, committed[&subject.item]);
        (what, subjects.into_iter().map(version).collect())
    }

    /// One way to invalidate this item, and all that it reaches.
    fn target(&self, item: u64, random: &mut Random) -> (String, Vec<Subject>) {
        let group = item % GROUPS;
        match random.below(40) {
            0 => ("everything/".to_owned(), self.such(|_| true)),
            1 => {
                let colour = random.index(COLOURS.len());
                let is_so = |subject: Subject| {
                    subject.is_page && subject.item % COLOURS.len() as u64 == colour as u64
                };
                (format!("class/{}", COLOURS[colour]), self.such(is_so))
            }
            2 => (
                format!("class/{OBJECTS}"),
                self.such(|subject| !subject.is_page),
            ),
            3..8 => (
                format!("group/{group}"),
                self.such(|subject| subject.item % GROUPS == group),
            ),
            8..14 => (
                format!("page/{item}"),
                self.such(|subject| subject.is_page && subject.item == item),
            ),
            14..20 => (
                format!("object/{item}"),
                self.such(|subject| !subject.is_page && subject.item == item),
            ),
            _ => (
                format!("item/{item}"),
                self.such(|subject| subject.item == item),
            ),
        }
    }

    fn such(&self, is_so: impl Fn(Subject) -> bool) -> Vec<Subject> {
        let items = 0..self.plan.items;
        let both = items.flat_map(|item| [true, false].map(|is_page| Subject { is_page, item }));
        both.filter(|subject| is_so(*subject)).collect()
    }

    fn subject(&self, random: &mut Random) -> Subject {
        Subject {
            is_page: !random.one_in(3),
            item: random.below(self.plan.items),
        }
    }

    /// A client of this process as it lives now.
    async fn connect(&self, node: usize) -> Option<(Client, Life)> {
        let life = *self.lives[node].borrow();
        let client = Client::connect(life.address).await;
        if client.is_none() {
            // It is being started again.
            sleep(Duration::from_millis(10)).await;
        }
        client.map(|client| (client, life))
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

fn path(Subject { is_page, item }: Subject) -> String {
    let kind = if is_page { "page" } else { "object" };
    format!("/{kind}/{item}")
}

/// What an answer of the database may take, and how often it does.
const SLOWEST: Duration = Duration::from_millis(40);
const SLOW_ONE_IN: u64 = 4;

/// How long nothing breaks.
const LONGEST_REST_MILLIS: u64 = 200;

/// What a writer waits between two changes.
const LONGEST_THOUGHT_MICROS: u64 = 20_000;
