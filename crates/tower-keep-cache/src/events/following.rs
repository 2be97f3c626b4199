//! A stream of events that is followed.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use tokio::task::{JoinHandle, unconstrained, yield_now};

use super::{changed::Changed, effects, rules::Rules};
use crate::{
    engine::Engine,
    http::{entry::Stored, key::KeyRules},
};

/// A stream that is [followed](crate::CacheHandle::follow), in a task of its own. Awaited, it tells how that
/// ended; dropped, the following goes on.
#[derive(Debug)]
pub struct Following(JoinHandle<FollowingEnd>);

/// Why a stream is not followed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowingEnd {
    /// The stream ended.
    Stream,
    /// The cache is gone, with all its layers, services and handles.
    Cache,
    /// The stream panicked, or the runtime ended.
    Broken,
}

impl Following {
    /// Whether the stream is not followed any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.is_finished()
    }
}

impl Future for Following {
    type Output = FollowingEnd;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<FollowingEnd> {
        let end = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(end.unwrap_or(FollowingEnd::Broken))
    }
}

/// Whom the events are told. It does not keep the cache alive.
pub(crate) struct Follower {
    pub(crate) engine: Weak<Engine<Stored>>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) keys: KeyRules,
}

impl Follower {
    pub(crate) fn follow<S>(self, stream: S) -> Following
    where
        S: Stream<Item = Changed> + Send + 'static,
    {
        Following(tokio::spawn(self.run(stream)))
    }

    async fn run(self, stream: impl Stream<Item = Changed>) -> FollowingEnd {
        let Some(end_of_cache) = self.engine.upgrade().map(|engine| engine.ends()) else {
            return FollowingEnd::Cache;
        };
        let mut end_of_cache = pin!(end_of_cache);
        let mut stream = pin!(stream);
        loop {
            let next = poll_fn(|cx| {
                if end_of_cache.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Next::End(FollowingEnd::Cache));
                }
                poll_some(stream.as_mut(), cx)
            });
            // A batch has a bound of its own; the runtime's would cut it into small ones.
            match unconstrained(next).await {
                Next::Events(events) => {
                    self.tell(&events).await;
                    yield_now().await;
                }
                Next::Last(events) => {
                    self.tell(&events).await;
                    return over(FollowingEnd::Stream);
                }
                Next::End(end) => return over(end),
            }
        }
    }

    /// What the store does not take now is in force here, and is written when it can be.
    async fn tell(&self, events: &[Changed]) {
        let Some(engine) = self.engine.upgrade() else {
            return;
        };
        let effects = effects(&engine, &self.rules, &self.keys, events);
        if let Err(error) = engine.append(&effects).await {
            tracing::warn!(%error, "followed changes could not be written yet");
        }
    }
}

enum Next {
    Events(Vec<Changed>),
    Last(Vec<Changed>),
    End(FollowingEnd),
}

/// All that is there already, up to a bound; at least one. A stream that has ended is not polled again.
fn poll_some(
    mut stream: Pin<&mut impl Stream<Item = Changed>>,
    cx: &mut Context<'_>,
) -> Poll<Next> {
    let mut events = Vec::new();
    while events.len() < MOST_TOGETHER {
        match stream.as_mut().poll_next(cx) {
            Poll::Ready(Some(event)) => events.push(event),
            Poll::Ready(None) => return Poll::Ready(Next::Last(events)),
            Poll::Pending if events.is_empty() => return Poll::Pending,
            Poll::Pending => break,
        }
    }
    Poll::Ready(Next::Events(events))
}

fn over(end: FollowingEnd) -> FollowingEnd {
    tracing::info!(?end, "a stream of changes is not followed any more");
    end
}

/// Events that become one write.
const MOST_TOGETHER: usize = 1024;
