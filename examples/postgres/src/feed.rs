//! The changes that the database tells of, as a stream.

use std::{
    convert::Infallible,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{Stream, StreamExt, stream::poll_fn};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_postgres::{AsyncMessage, Config, NoTls};
use tower_keep::Changed;

use crate::{error::FeedError, notification::changed};

/// What `tell_changes.sql` tells, as long as the stream is there; on a connection of its own, which is made again
/// whenever it ends or does not answer.
///
/// What is committed while nobody listens is told to nobody. So at every beginning, also at the first, the stream
/// says that something [may have been missed](Changed::missed). While the server cannot be heard it says so as well:
/// when `bound` has passed since it was heard last, and then twice in each `bound`. So nothing is served that is
/// older than that.
///
/// Starts a task; on a tokio runtime only.
pub fn changes(config: Config, bound: Duration) -> impl Stream<Item = Changed> + Send + 'static {
    let (tell, mut told) = mpsc::channel(AHEAD);
    let feed = Feed {
        config,
        bound,
        tell,
        heard: Mutex::new(Instant::now()),
    };
    tokio::spawn(feed.run());
    poll_fn(move |context| told.poll_recv(context))
}

struct Feed {
    config: Config,
    bound: Duration,
    tell: mpsc::Sender<Changed>,
    /// When all that had been told before was known to have come.
    heard: Mutex<Instant>,
}

impl Feed {
    async fn run(self) {
        tokio::select! {
            never = self.listen_always() => match never {},
            never = self.watch_silence() => match never {},
            () = self.tell.closed() => {}
        }
    }

    async fn listen_always(&self) -> Infallible {
        loop {
            let Err(error) = self.listen().await;
            tracing::warn!(%error, "the database cannot be heard");
            sleep(self.bound / 16).await;
        }
    }

    async fn listen(&self) -> Result<Infallible, FeedError> {
        let connecting = timeout(self.patience(), self.config.connect(NoTls));
        let (client, mut connection) = connecting.await??;
        let messages = poll_fn(|context| connection.poll_message(context));
        let asking = async {
            let asked = Instant::now();
            timeout(self.patience(), client.batch_execute("LISTEN changes")).await??;
            // Only what is committed from now on is told.
            self.tell(Changed::missed()).await;
            *self.heard() = asked;
            loop {
                sleep(self.bound / 4).await;
                let asked = Instant::now();
                timeout(self.patience(), client.batch_execute("")).await??;
                // What had been told before the question came before the answer.
                *self.heard() = asked;
            }
        };
        tokio::select! {
            ended = asking => ended,
            ended = self.hear(messages) => ended,
        }
    }

    async fn hear(
        &self,
        messages: impl Stream<Item = Result<AsyncMessage, tokio_postgres::Error>>,
    ) -> Result<Infallible, FeedError> {
        let mut messages = std::pin::pin!(messages);
        while let Some(message) = messages.next().await {
            if let AsyncMessage::Notification(notification) = message? {
                self.tell(changed(notification.payload())).await;
            }
        }
        Err(FeedError::Closed)
    }

    async fn watch_silence(&self) -> Infallible {
        loop {
            let silence = self.heard().elapsed();
            match self.bound.checked_sub(silence) {
                Some(left) if !left.is_zero() => sleep(left).await,
                _ => {
                    self.tell(Changed::missed()).await;
                    sleep(self.bound / 2).await;
                }
            }
        }
    }

    /// Where nobody takes it any more, the task ends.
    async fn tell(&self, changed: Changed) {
        let _ = self.tell.send(changed).await;
    }

    /// How long one answer may take.
    fn patience(&self) -> Duration {
        self.bound / 4
    }

    fn heard(&self) -> MutexGuard<'_, Instant> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// More than this waits in the server.
const AHEAD: usize = 1024;
