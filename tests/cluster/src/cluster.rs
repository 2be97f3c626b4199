use std::{path::PathBuf, sync::Arc};

use tokio::task::block_in_place;
use tower_keep_test_support::{RedisServer, Reply, TcpProxy, eventually};

use crate::{Client, Database, LONG, Node};

/// What a [`Cluster`] is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    program: PathBuf,
    nodes: usize,
    items: usize,
    args: Vec<String>,
}

/// One Redis, one database, and some processes of one application.
#[derive(Debug)]
pub struct Cluster {
    /// What they ask and the test changes.
    pub database: Arc<Database>,
    /// The processes.
    pub nodes: Vec<Node>,
    // Ends last.
    /// What they share.
    pub redis: RedisServer,
    /// Another one, empty, to which they may be led.
    pub standby: RedisServer,
}

impl Setup {
    /// Three processes of this program, 64 items.
    #[must_use]
    pub fn of(program: &str) -> Self {
        Self {
            program: program.into(),
            nodes: 3,
            items: 64,
            args: Vec::new(),
        }
    }

    /// So many processes.
    #[must_use]
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// So many items.
    #[must_use]
    pub fn items(mut self, items: usize) -> Self {
        self.items = items;
        self
    }

    /// An option of the application.
    #[must_use]
    pub fn option(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.args.extend([name.to_owned(), format!("{value}")]);
        self
    }

    /// An option of the application that is on or off.
    #[must_use]
    pub fn flag(mut self, name: &str) -> Self {
        self.args.push(name.to_owned());
        self
    }

    /// Starts them all.
    pub async fn start(self) -> Cluster {
        self.start_on(block_in_place(RedisServer::start)).await
    }

    /// Starts all but Redis.
    pub async fn start_on(self, redis: RedisServer) -> Cluster {
        let database = Arc::new(Database::start(self.items).await);
        let mut args = self.args;
        args.extend(["--database".to_owned(), database.address().to_string()]);
        let mut nodes = Vec::new();
        for number in 0..self.nodes {
            let proxy = TcpProxy::start(redis.address()).await;
            let (program, args) = (self.program.clone(), args.clone());
            nodes.push(block_in_place(|| Node::start(number, program, args, proxy)));
        }
        Cluster {
            standby: block_in_place(RedisServer::start),
            database,
            nodes,
            redis,
        }
    }
}

impl Cluster {
    /// A client of each process.
    pub async fn clients(&self) -> Vec<Client> {
        let mut clients = Vec::new();
        for node in &self.nodes {
            clients.push(node.client().await);
        }
        clients
    }

    /// Waits until every process answers these pages from its cache.
    pub async fn is_warm(&self, pages: &[String]) {
        for node in &self.nodes {
            for page in pages {
                let is_hit = async || node.client().await.get(page).await.is_hit();
                eventually(LONG, is_hit).await;
            }
        }
    }

    /// Waits until every process shows what the database has.
    pub async fn tells_the_truth(&self, item: u64, path: &str) {
        for node in &self.nodes {
            let tells = async || {
                let version = node.client().await.version(path).await;
                version == self.database.version(item)
            };
            eventually(LONG, tells).await;
        }
    }

    /// How many requests for pages and values each process has got.
    ///
    /// # Panics
    ///
    /// If one does not say.
    pub async fn begun(&self) -> Vec<usize> {
        let mut begun = Vec::new();
        for client in &mut self.clients().await {
            let number = client.get("/begun").await.body.parse();
            begun.push(number.expect("a number"));
        }
        begun
    }

    /// How many entries are in Redis, of either kind.
    #[must_use]
    pub fn entries(&self) -> usize {
        let keys = self.keys().into_iter();
        let is_entry = |key: &String| key.starts_with("keep:c:") || key.starts_with("keep:o:");
        keys.filter(is_entry).count()
    }

    /// The names of what is in Redis.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        match self.redis.command(&["KEYS", "*"]) {
            Reply::Array(Some(names)) => names.iter().filter_map(Reply::text).collect(),
            other => panic!("KEYS answers with a list, not {other:?}"),
        }
    }
}
