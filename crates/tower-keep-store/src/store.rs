//! The store: one handle, two places to keep things.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use sha2::Sha256;
use tokio::runtime::Handle;

use crate::{
    clock::Clock,
    error::{ConnectError, StoreError},
    evictions::Evictions,
    key::{Key, PersonalKey, keyed},
    log::{InvalidationLog, random, shared::APPEND},
    memory::Memory,
    observer::{LookupKind, Observer, Observers, Watch},
    processes::Processes,
    redis::Redis,
    server::Server,
    subscription::{Subscription, Subscriptions},
};

/// What the layers share: a Redis server behind a pool, or memory of this process.
///
/// Clones share everything. Every record has a time to live, every step a deadline.
#[derive(Clone)]
pub struct Store {
    space: Arc<Space>,
    deadline: Duration,
}

/// One namespace in one place.
struct Space {
    place: Place,
    namespace: Arc<str>,
    secret: Sha256,
    clock: Clock,
    memory_limit: u64,
    staleness_bound: Duration,
    log: OnceLock<InvalidationLog>,
    processes: OnceLock<Processes>,
    observers: Observers,
    evictions: Arc<Evictions>,
    companions: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

#[derive(Clone)]
enum Place {
    Memory(Arc<Memory>),
    Redis(Arc<Redis>),
}

impl Store {
    /// An embedded store: nothing to install, at most 64 MiB. Each call makes another one; its clones share it.
    #[must_use]
    pub fn memory() -> Self {
        Self::builder().memory()
    }

    /// The store at `url`: `memory:` (another one at each call), `redis://[user:password@]host[:port][/db]`,
    /// `rediss://…` (with the `tls` feature), `unix:///path/to/socket`. See [`StoreBuilder::connect`].
    ///
    /// # Errors
    ///
    /// The URL cannot be used.
    pub fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::builder().connect(url)
    }

    /// Options first, then [`memory`](StoreBuilder::memory) or [`connect`](StoreBuilder::connect).
    pub fn builder() -> StoreBuilder {
        StoreBuilder::default()
    }

    /// The same store with another deadline for each step, at least a millisecond. Default: 50 ms.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.max(Duration::from_millis(1));
        self
    }

    /// Whether the records are in this process, where reading one costs no round trip.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        matches!(self.space.place, Place::Memory(_))
    }

    /// The time of day, as all who use this store see it.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.space.clock
    }

    /// The invalidation log of this namespace. On Redis, its first use starts two tasks that follow it.
    #[must_use]
    pub fn log(&self) -> &InvalidationLog {
        let space = &self.space;
        space.log.get_or_init(|| match &space.place {
            Place::Memory(_) => InvalidationLog::embedded(),
            Place::Redis(redis) => {
                InvalidationLog::shared(redis.clone(), &space.namespace, space.staleness_bound)
            }
        })
    }

    /// The processes that share this namespace. On Redis, its first use starts a task that tells of this
    /// one.
    #[must_use]
    pub fn processes(&self) -> &Processes {
        let processes = &self.space.processes;
        processes.get_or_init(|| match self.server() {
            Some(server) => Processes::shared(&server),
            None => Processes::embedded(),
        })
    }

    /// The server, for layers that run scripts or commands of their own; none where the store is embedded.
    #[must_use]
    pub fn server(&self) -> Option<Server> {
        match &self.space.place {
            Place::Memory(_) => None,
            Place::Redis(redis) => Some(Server::new(redis.clone(), self.space.namespace.clone())),
        }
    }

    /// Hears what scripts publish on the channel of this name (`namespace:kind:{digest}`, like a key) from
    /// the moment when this returns. One connection of its own, made when it is first needed, serves all.
    ///
    /// # Errors
    ///
    /// The server did not confirm it within the deadline, does not allow it (a user of an ACL needs the
    /// channels `&namespace:*`), or there is none: an embedded store has no channels.
    pub async fn subscribe(&self, channel: &Key) -> Result<Subscription, StoreError> {
        let Place::Redis(redis) = &self.space.place else {
            return Err(StoreError::unavailable());
        };
        if redis.is_suspended() {
            return Err(StoreError::unavailable());
        }
        let subscriptions = self.companion(|| Subscriptions::new(redis.clone()));
        subscriptions.begin(self.name(channel), self.deadline).await
    }

    /// Begins the key of a record that belongs to a person, by what says who it is. See
    /// [`StoreBuilder::secret`].
    #[must_use]
    pub fn personal_key(&self, kind: &'static str) -> PersonalKey {
        PersonalKey::new(kind, &self.space.secret)
    }

    /// Bytes that this process may hold; see [`StoreBuilder::memory_limit`].
    #[must_use]
    pub fn memory_limit(&self) -> u64 {
        self.space.memory_limit
    }

    /// The one `T` of this namespace in this process, made when it is first asked for: what all layers of
    /// a kind share, however many there are. It must not hold the store, which would hold it in turn.
    pub fn companion<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let mut companions = self
            .space
            .companions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let companion = companions
            .entry(TypeId::of::<T>())
            .or_insert_with(|| Arc::new(make()))
            .clone();
        companion
            .downcast()
            .expect("each type has an entry of its own")
    }

    /// Tells this observer of every lookup from now on, for as long as somebody else holds it.
    pub fn observe(&self, observer: &Arc<dyn Observer>) {
        self.space.observers.add(observer);
    }

    /// Begins to watch a lookup, for layers that make some; nothing if nobody [observes](Self::observe) them,
    /// which costs one load. The key is only hashed.
    #[must_use]
    pub fn watch<'a>(&'a self, kind: LookupKind, class: &'a str, key: &[u8]) -> Option<Watch<'a>> {
        let space = &self.space;
        space.observers.watch(&space.clock, kind, class, key)
    }

    /// Counts of what this process has let go. They may be kept without the store.
    #[must_use]
    pub fn evictions(&self) -> &Arc<Evictions> {
        &self.space.evictions
    }

    /// The longest a step may take.
    #[must_use]
    pub fn step_deadline(&self) -> Duration {
        self.deadline
    }

    /// Asks whether the store answers.
    ///
    /// # Errors
    ///
    /// It does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.step("PING", redis::cmd("PING"), |_| Ok(()), |_: redis::Value| ())
            .await
    }

    /// Reads a record, in one round trip.
    ///
    /// # Errors
    ///
    /// The store did not answer in time, or not with a record.
    pub async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        let name = self.name(key);
        let mut get = redis::cmd("GET");
        get.arg(&name);
        self.step("GET", get, |memory| Ok(memory.get(&name)), |value| value)
            .await
    }

    /// Writes a record that is gone after `ttl` (at least a millisecond), in one round trip.
    ///
    /// # Errors
    ///
    /// The store did not answer in time; after a [time-out](StoreError::is_timeout) the record may have
    /// been written, or may still be.
    pub async fn put(&self, key: &Key, value: Bytes, ttl: Duration) -> Result<(), StoreError> {
        let name = self.name(key);
        let millis = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let mut set = redis::cmd("SET");
        // Redis counts deadlines in a signed number of milliseconds since 1970.
        set.arg(&name)
            .arg(&value[..])
            .arg("PX")
            .arg(millis.clamp(1, MILLIS_MAX));
        self.step(
            "SET",
            set,
            |memory| {
                memory.put(name, value, ttl);
                Ok(())
            },
            |()| (),
        )
        .await
    }

    /// Takes a record away, in one round trip; without effect if there is none.
    ///
    /// # Errors
    ///
    /// The store did not answer in time; after a [time-out](StoreError::is_timeout) the record may be
    /// gone, or may still go.
    pub async fn remove(&self, key: &Key) -> Result<(), StoreError> {
        let name = self.name(key);
        let mut unlink = redis::cmd("UNLINK");
        unlink.arg(&name);
        self.step(
            "UNLINK",
            unlink,
            |memory| {
                memory.remove(&name);
                Ok(())
            },
            |_: u64| (),
        )
        .await
    }

    fn name(&self, key: &Key) -> Vec<u8> {
        key.in_namespace(&self.space.namespace)
    }

    /// One step in whichever place there is.
    async fn step<Reply, T>(
        &self,
        operation: &'static str,
        command: redis::Cmd,
        here: impl FnOnce(&Memory) -> Result<T, StoreError>,
        answer: impl FnOnce(Reply) -> T,
    ) -> Result<T, StoreError>
    where
        Reply: redis::FromRedisValue,
    {
        let redis = match &self.space.place {
            Place::Memory(memory) => return here(memory),
            Place::Redis(redis) => redis,
        };
        let send = |mut connection: MultiplexedConnection| async move {
            command.query_async::<Reply>(&mut connection).await
        };
        let reply = redis.run(operation, self.deadline, send).await?;
        Ok(answer(reply))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("place", &self.space.place)
            .field("namespace", &self.space.namespace)
            .field("deadline", &self.deadline)
            .finish()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(memory) => memory.fmt(f),
            Self::Redis(redis) => redis.fmt(f),
        }
    }
}

/// Options of a [`Store`].
#[derive(Clone)]
#[must_use]
pub struct StoreBuilder {
    namespace: String,
    deadline: Duration,
    connections: u32,
    memory_limit: u64,
    staleness_bound: Duration,
    clock: Clock,
    secret: Option<Vec<u8>>,
}

impl StoreBuilder {
    /// What all keys begin with, so that several applications can share a server. One to 64 letters,
    /// digits, `-`, `_` or `.`; default: `keep`.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The longest a step may take, checkout of a connection included. Default: 50 ms.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Connections that requests share. Default: 2; commands travel together on each, so that few are
    /// enough.
    pub fn connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    /// Bytes that the embedded store may hold, keys and bookkeeping included. Default: 64 MiB.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = bytes;
        self
    }

    /// How long entries of a first level may be used while the invalidation log cannot be read.
    /// Default: 5 s.
    pub fn staleness_bound(mut self, bound: Duration) -> Self {
        self.staleness_bound = bound;
        self
    }

    /// What the keys of records that belong to a person are hashed with, at least 16 bytes; the same in
    /// all processes that share the namespace.
    ///
    /// Default: random on an embedded store. On Redis the keys are hashed without a secret: whoever can
    /// read the server can then find out by trying whose record one is, the client of an address, say.
    pub fn secret(mut self, secret: impl Into<Vec<u8>>) -> Self {
        self.secret = Some(secret.into());
        self
    }

    /// The time of day. Default: the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// An embedded store with these options.
    #[must_use]
    pub fn memory(mut self) -> Store {
        self.secret
            .get_or_insert_with(|| [random(), random()].map(u64::to_be_bytes).concat());
        let memory = Memory::new(self.memory_limit, self.clock.clone());
        self.store(Place::Memory(Arc::new(memory)))
    }

    /// The store at `url`, with these options.
    ///
    /// Never waits: a service starts while Redis is down, and finds it when it comes. To know now, ask
    /// [`Store::ping`].
    ///
    /// # Errors
    ///
    /// The URL cannot be used, an option makes no sense, or there is no Tokio runtime to connect on.
    pub fn connect(self, url: &str) -> Result<Store, ConnectError> {
        self.check()?;
        let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
        match scheme {
            "memory" => return Ok(self.memory()),
            "redis" | "valkey" | "unix" | "redis+unix" | "valkey+unix" => {}
            "rediss" | "valkeys" => prepare_tls()?,
            "redis+cluster" | "redis+sentinel" => {
                return Err(ConnectError::new(format!(
                    "{scheme} is not supported yet: use redis://, rediss:// or unix:"
                )));
            }
            // Only a scheme is repeated: what is not one may be a password.
            _ => {
                return Err(ConnectError::new(
                    "the store URL must begin with memory:, redis://, rediss:// or unix:",
                ));
            }
        }
        let runtime = Handle::try_current().map_err(|error| {
            ConnectError::caused("connecting to a store needs a running Tokio runtime", error)
        })?;
        let redis = Redis::new(runtime, url, self.connections)?;
        redis.prepare(&APPEND);
        Ok(self.store(Place::Redis(redis)))
    }

    fn check(&self) -> Result<(), ConnectError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !(1..=64).contains(&self.namespace.len()) || !self.namespace.bytes().all(is_plain) {
            return Err(ConnectError::new(
                "a namespace has 1 to 64 letters, digits, '-', '_' or '.'",
            ));
        }
        if self.deadline.is_zero() {
            return Err(ConnectError::new(
                "a deadline of zero leaves no time for any step",
            ));
        }
        if self.staleness_bound < LEAST_STALENESS_BOUND {
            return Err(ConnectError::new(
                "a staleness bound under 500 ms is shorter than the log's own heartbeat allows",
            ));
        }
        if self.secret.as_ref().is_some_and(|secret| secret.len() < 16) {
            return Err(ConnectError::new("a secret has at least 16 bytes"));
        }
        if self.connections == 0 {
            return Err(ConnectError::new("a store needs at least one connection"));
        }
        Ok(())
    }

    fn store(self, place: Place) -> Store {
        let evictions = match &place {
            Place::Memory(memory) => memory.evictions().clone(),
            Place::Redis(_) => Arc::default(),
        };
        Store {
            space: Arc::new(Space {
                place,
                namespace: self.namespace.into(),
                secret: keyed(&self.secret.unwrap_or_default()),
                clock: self.clock,
                memory_limit: self.memory_limit,
                staleness_bound: self.staleness_bound,
                log: OnceLock::new(),
                processes: OnceLock::new(),
                observers: Observers::default(),
                evictions,
                companions: Mutex::default(),
            }),
            deadline: self.deadline,
        }
    }
}

impl Default for StoreBuilder {
    fn default() -> Self {
        Self {
            namespace: "keep".to_owned(),
            deadline: Duration::from_millis(50),
            connections: 2,
            memory_limit: 64 << 20,
            staleness_bound: Duration::from_secs(5),
            clock: Clock::system(),
            secret: None,
        }
    }
}

impl fmt::Debug for StoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreBuilder")
            .field("namespace", &self.namespace)
            .field("deadline", &self.deadline)
            .field("connections", &self.connections)
            .field("memory_limit", &self.memory_limit)
            .field("staleness_bound", &self.staleness_bound)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "tls")]
fn prepare_tls() -> Result<(), ConnectError> {
    // An application that chose a provider before keeps it.
    let _already_chosen = rustls::crypto::ring::default_provider().install_default();
    Ok(())
}

#[cfg(not(feature = "tls"))]
fn prepare_tls() -> Result<(), ConnectError> {
    Err(ConnectError::new(
        "rediss:// needs the feature `tls`, of tower-keep or tower-keep-store",
    ))
}

/// Two heartbeats of the log.
const LEAST_STALENESS_BOUND: Duration = Duration::from_millis(500);

/// About 300 years.
const MILLIS_MAX: u64 = 10_000_000_000_000;
