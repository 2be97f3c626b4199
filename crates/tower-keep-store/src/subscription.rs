//! Hearing what is published, on one connection for all who listen.
//!
//! One task owns the connection. It takes orders in turn, all that have come meanwhile at once, so that a
//! channel is subscribed to and left in the order in which that was asked for, and many channels cost one
//! command. While somebody listens it asks the server four times a second whether it is still there: one
//! that hangs says nothing. Who listens when the connection is lost is told so, and may begin anew; the next
//! to begin has a new connection made.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use redis::{ErrorKind, PushInfo, PushKind, RedisResult, Value, aio::MultiplexedConnection};
use tokio::{
    sync::{Notify, broadcast, mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};

use crate::{error::StoreError, redis::Redis};

/// What is published on one channel, from the moment when the server confirmed it. Ends when dropped.
pub struct Subscription {
    channel: Vec<u8>,
    /// None while it is dropped.
    heard: Option<broadcast::Receiver<Bytes>>,
    orders: mpsc::UnboundedSender<Order>,
}

impl Subscription {
    /// What is published next; nothing if the connection was lost, and with it perhaps a message.
    pub async fn next(&mut self) -> Option<Bytes> {
        // One who has fallen behind has lost messages as well.
        self.heard.as_mut()?.recv().await.ok()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // First, so that it is not counted any more when the order is carried out.
        drop(self.heard.take());
        let channel = std::mem::take(&mut self.channel);
        let _ended_with_the_task = self.orders.send(Order::Leave(channel));
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

/// All subscriptions of a store in this process.
pub(crate) struct Subscriptions {
    orders: mpsc::UnboundedSender<Order>,
}

enum Order {
    Begin(Vec<u8>, oneshot::Sender<Subscription>),
    Leave(Vec<u8>),
}

impl Subscriptions {
    /// Connects when it is first needed. Its task ends with the last who could give it an order.
    pub(crate) fn new(redis: Arc<Redis>) -> Self {
        let (orders, received) = mpsc::unbounded_channel();
        let runtime = redis.runtime().clone();
        runtime.spawn(carry_out(redis, orders.downgrade(), received));
        Self { orders }
    }

    pub(crate) async fn begin(
        &self,
        channel: Vec<u8>,
        deadline: Duration,
    ) -> Result<Subscription, StoreError> {
        let (done, confirmed) = oneshot::channel();
        let _task_lives_as_long = self.orders.send(Order::Begin(channel, done));
        match timeout(deadline, confirmed).await {
            Ok(Ok(subscription)) => Ok(subscription),
            Ok(Err(_)) => Err(StoreError::unavailable()),
            Err(_) => Err(StoreError::timeout()),
        }
    }
}

async fn carry_out(
    redis: Arc<Redis>,
    orders: mpsc::WeakUnboundedSender<Order>,
    mut received: mpsc::UnboundedReceiver<Order>,
) {
    let mut listening: Option<Listening> = None;
    let mut batch = Vec::new();
    let mut beat = Instant::now();
    loop {
        let silent = match &listening {
            None => {
                if received.recv_many(&mut batch, MOST_AT_ONCE).await == 0 {
                    return;
                }
                false
            }
            Some(listening) => tokio::select! {
                count = received.recv_many(&mut batch, MOST_AT_ONCE) => {
                    if count == 0 {
                        return;
                    }
                    false
                }
                () = listening.lost.notified() => true,
                () = sleep_until(beat), if listening.is_heard() => {
                    beat = Instant::now() + HEARTBEAT;
                    listening.beat().await.is_err()
                }
            },
        };
        if silent {
            tracing::debug!("the store's connection for pushes was lost");
            // Whoever listens is told by it.
            listening = None;
            continue;
        }
        let (begun, left) = sort(&mut batch);
        if listening.is_none() && !begun.is_empty() {
            listening = connected(&redis, &begun).await;
        }
        let Some(current) = &listening else {
            // Those who wait find themselves unanswered.
            continue;
        };
        if current.turn(begun, left, &orders).await.is_err() {
            listening = None;
        }
    }
}

/// A server that is only slow to take a connection is asked again, as long as somebody waits for it.
async fn connected(redis: &Redis, begun: &Begun) -> Option<Listening> {
    loop {
        match Listening::connect(redis).await {
            Ok(listening) => return Some(listening),
            Err(error) if error.is_timeout() && is_awaited(begun) => {}
            Err(_) => return None,
        }
    }
}

fn is_awaited(begun: &Begun) -> bool {
    begun.iter().any(|(_, done)| !done.is_closed())
}

type Begun = Vec<(Vec<u8>, oneshot::Sender<Subscription>)>;

fn sort(batch: &mut Vec<Order>) -> (Begun, Vec<Vec<u8>>) {
    let (mut begun, mut left) = (Vec::new(), Vec::new());
    for order in batch.drain(..) {
        match order {
            Order::Begin(channel, done) => begun.push((channel, done)),
            Order::Leave(channel) => left.push(channel),
        }
    }
    (begun, left)
}

/// A connection, and who listens on it.
struct Listening {
    connection: MultiplexedConnection,
    channels: Arc<Channels>,
    lost: Arc<Notify>,
}

type Channels = Mutex<HashMap<Vec<u8>, broadcast::Sender<Bytes>>>;

impl Listening {
    async fn connect(redis: &Redis) -> RedisResult<Self> {
        let (channels, lost) = (Arc::<Channels>::default(), Arc::<Notify>::default());
        let (heard_on, is_lost) = (channels.clone(), lost.clone());
        let heard = move |push: PushInfo| -> Result<(), Unheard> {
            match push.kind {
                PushKind::Disconnection => is_lost.notify_one(),
                PushKind::Message => pass_on(&heard_on, push.data),
                _ => {}
            }
            Ok(())
        };
        Ok(Self {
            connection: redis.listening(heard).await?,
            channels,
            lost,
        })
    }

    fn is_heard(&self) -> bool {
        !locked(&self.channels).is_empty()
    }

    async fn beat(&self) -> RedisResult<()> {
        let mut connection = self.connection.clone();
        let ping = redis::cmd("PING");
        in_time(ping.query_async::<()>(&mut connection)).await
    }

    /// Subscribes to what is new, answers, and leaves what nobody listens to any more.
    async fn turn(
        &self,
        begun: Begun,
        left: Vec<Vec<u8>>,
        orders: &mpsc::WeakUnboundedSender<Order>,
    ) -> RedisResult<()> {
        let (mut new, mut waiting) = (Vec::new(), Vec::new());
        {
            let mut channels = locked(&self.channels);
            let Some(orders) = orders.upgrade() else {
                return Ok(());
            };
            for (channel, done) in begun {
                let sender = channels.entry(channel.clone()).or_insert_with(|| {
                    new.push(channel.clone());
                    broadcast::Sender::new(MESSAGES_KEPT)
                });
                let subscription = Subscription {
                    heard: Some(sender.subscribe()),
                    channel,
                    orders: orders.clone(),
                };
                waiting.push((done, subscription));
            }
        }
        let mut connection = self.connection.clone();
        if !new.is_empty() {
            in_time(connection.subscribe(&new)).await?;
        }
        for (done, subscription) in waiting {
            // Who has not waited for it leaves by that.
            let _gone = done.send(subscription);
        }
        let left = self.without_listeners(left);
        if !left.is_empty() {
            in_time(connection.unsubscribe(&left)).await?;
        }
        Ok(())
    }

    fn without_listeners(&self, mut left: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let mut channels = locked(&self.channels);
        left.retain(|channel| {
            let is_empty = |sender: &broadcast::Sender<_>| sender.receiver_count() == 0;
            channels.get(channel).is_some_and(is_empty) && channels.remove(channel).is_some()
        });
        left
    }
}

/// A message is its channel and what was said.
fn pass_on(channels: &Channels, data: Vec<Value>) {
    let mut words = data.into_iter();
    if let (Some(Value::BulkString(channel)), Some(Value::BulkString(said))) =
        (words.next(), words.next())
        && let Some(sender) = locked(channels).get(&channel)
    {
        let _nobody_listens_any_more = sender.send(said.into());
    }
}

/// A server that hangs says nothing.
async fn in_time<T>(answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    timeout(OVERDUE, answer)
        .await
        .unwrap_or_else(|_| Err((ErrorKind::Io, "the connection for pushes hangs").into()))
}

fn locked(channels: &Channels) -> MutexGuard<'_, HashMap<Vec<u8>, broadcast::Sender<Bytes>>> {
    channels.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What hears a push cannot fail to.
#[derive(Debug)]
enum Unheard {}

/// How often the server is asked whether it is there, while somebody listens.
const HEARTBEAT: Duration = Duration::from_millis(250);

/// After how long without an answer it is not.
const OVERDUE: Duration = Duration::from_millis(500);

/// Orders carried out together.
const MOST_AT_ONCE: usize = 256;

/// Messages of one channel that a listener may be behind.
const MESSAGES_KEPT: usize = 8;
