//! The task that tells.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::timeout;
use tower_keep_store::{Store, StoreError};

use super::{claim, peers::View, post::Post, told::Told, wire};
use crate::monitor::Monitor;

/// Begins to tell of this monitor, until it is gone. Without effect where there is nobody to tell.
pub(crate) fn begin(store: &Store, monitor: &Arc<Monitor>) {
    let every = monitor.rules.cluster_every;
    let post = every.and_then(|every| Some((Post::of(store, every)?, every)));
    if let Some((post, every)) = post {
        monitor.peers.tell_all(claim::holds(monitor, post.lives()));
        let server = post.server().clone();
        server.spawn(keep_telling(post, Arc::downgrade(monitor), every));
    }
}

async fn keep_telling(post: Post, monitor: Weak<Monitor>, every: Duration) {
    for number in 1.. {
        let Some(round) = monitor.upgrade().map(|monitor| {
            monitor.peers.tell_all(claim::holds(&monitor, post.lives()));
            Round::of(&monitor, number)
        }) else {
            return;
        };
        let asked = round.asked.clone();
        let view = round.go(&post).await;
        if let Some(monitor) = monitor.upgrade() {
            match view {
                Ok(view) => monitor.peers.answered(view),
                Err(_) => monitor.peers.unanswered(monitor.ticker.now()),
            }
        }
        let _asked_or_due = timeout(every, asked.notified()).await;
    }
}

/// One telling, which holds nothing of the monitor.
struct Round {
    id: u64,
    number: u64,
    snapshot: Vec<u8>,
    is_asked: bool,
    now: u64,
    asked: Arc<tokio::sync::Notify>,
}

impl Round {
    fn of(monitor: &Monitor, number: u64) -> Self {
        let now = monitor.ticker.now();
        Self {
            id: monitor.peers.id,
            number,
            snapshot: wire::encode(&Told::now(monitor)),
            is_asked: monitor.peers.is_asked(now),
            now,
            asked: monitor.peers.asked.clone(),
        }
    }

    async fn go(self, post: &Post) -> Result<Option<View>, StoreError> {
        post.tell(self.id, self.number, &self.snapshot).await?;
        match self.is_asked {
            true => post.ask(self.now).await.map(Some),
            false => Ok(None),
        }
    }
}
