//! Work that nobody waits for: counted, so that a shutdown can wait for it, and ended at its deadline.

use std::{
    fmt,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tokio::{runtime::Handle, sync::Notify, time::timeout};
use tower_keep_store::InvalidationLog;

/// What is done in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// A fetch without its client.
    Refresh,
    /// Reading a body on to its end.
    Body,
    /// Writing into the store.
    Write,
}

/// The background work of a cache. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Background(Arc<Tasks>);

#[derive(Default)]
struct Tasks {
    under_way: [AtomicUsize; 3],
    /// Nothing begins any more but what ends something.
    is_closed: AtomicBool,
    /// Nothing goes on.
    is_stopped: AtomicBool,
    ended: Notify,
    stopped: Notify,
}

/// What a shutdown did not see the end of; see [`CacheHandle::shutdown`](crate::CacheHandle::shutdown).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unfinished {
    /// Fetches in the background. They were ended.
    pub refreshes: u64,
    /// Bodies that were read on after their client had left. They were dropped.
    pub bodies: u64,
    /// Entries on their way into the store. They may or may not be there.
    pub writes: u64,
    /// Invalidations that are not known to stand in the log. They are in force in this process, and go on
    /// being written for as long as it lives.
    pub invalidations: u64,
}

impl Unfinished {
    /// Whether all was done.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Background {
    /// Runs it, unless there is no runtime to run it on, or the cache is shutting down.
    pub(crate) fn spawn(
        &self,
        task: Task,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> bool {
        let under_way = UnderWay::of(self.0.clone(), task);
        // Counted first: a shutdown that begins now waits for it.
        if self.0.refuses(task) {
            return false;
        }
        let Ok(runtime) = Handle::try_current() else {
            return false;
        };
        runtime.spawn(async move { under_way.run(work).await });
        true
    }

    /// Lets nothing begin any more, and waits for what is under way and for the log; at the deadline ends it.
    pub(crate) async fn shutdown(&self, log: &InvalidationLog, deadline: Duration) -> Unfinished {
        let tasks = &self.0;
        tasks.is_closed.store(true, Ordering::SeqCst);
        let all_done = async {
            tasks.idle().await;
            log.flush().await;
        };
        let unfinished = match timeout(deadline, all_done).await {
            Ok(()) => Unfinished::default(),
            Err(_) => tasks.unfinished(log),
        };
        tasks.is_stopped.store(true, Ordering::SeqCst);
        tasks.stopped.notify_waiters();
        unfinished
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Background")
            .field(&self.0.under_way)
            .finish()
    }
}

impl Tasks {
    fn refuses(&self, task: Task) -> bool {
        match task {
            Task::Refresh => self.is_closed.load(Ordering::SeqCst),
            // They end what a client or a refresh began.
            Task::Body | Task::Write => self.is_stopped.load(Ordering::SeqCst),
        }
    }

    fn count(&self, task: Task) -> usize {
        self.under_way[task as usize].load(Ordering::SeqCst)
    }

    async fn idle(&self) {
        loop {
            let mut ended = pin!(self.ended.notified());
            // From here on no end is missed.
            ended.as_mut().enable();
            if ALL.iter().all(|task| self.count(*task) == 0) {
                return;
            }
            ended.await;
        }
    }

    async fn stopped(&self) {
        let mut stopped = pin!(self.stopped.notified());
        stopped.as_mut().enable();
        if !self.is_stopped.load(Ordering::SeqCst) {
            stopped.await;
        }
    }

    fn unfinished(&self, log: &InvalidationLog) -> Unfinished {
        let count = |task| self.count(task) as u64;
        Unfinished {
            refreshes: count(Task::Refresh),
            bodies: count(Task::Body),
            writes: count(Task::Write),
            invalidations: log.unwritten(),
        }
    }
}

/// One task, counted while it lives.
struct UnderWay {
    tasks: Arc<Tasks>,
    task: Task,
}

impl UnderWay {
    fn of(tasks: Arc<Tasks>, task: Task) -> Self {
        tasks.under_way[task as usize].fetch_add(1, Ordering::SeqCst);
        Self { tasks, task }
    }

    /// To its end, or until all is stopped.
    async fn run(self, work: impl Future<Output = ()>) {
        let mut stopped = pin!(self.tasks.stopped());
        let mut work = pin!(work);
        std::future::poll_fn(|cx| match stopped.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => work.as_mut().poll(cx),
        })
        .await;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.tasks.under_way[self.task as usize].fetch_sub(1, Ordering::SeqCst);
        self.tasks.ended.notify_waiters();
    }
}

const ALL: [Task; 3] = [Task::Refresh, Task::Body, Task::Write];

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use tower_keep_store::Store;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_shutdown_waits_for_what_is_under_way_and_lets_nothing_begin() {
        let (store, background) = (Store::memory(), Background::default());
        let (end, ended) = oneshot::channel();
        let begun = background.spawn(Task::Refresh, async move {
            let _told = ended.await;
        });
        assert!(begun);
        let mut shutdown = pin!(background.shutdown(store.log(), LONG));
        let waker = std::task::Waker::noop();
        let mut cx = std::task::Context::from_waker(waker);
        assert!(shutdown.as_mut().poll(&mut cx).is_pending());
        assert!(!background.spawn(Task::Refresh, async {}));
        for task in [Task::Body, Task::Write] {
            assert!(background.spawn(task, async {}), "it ends something");
        }
        end.send(()).expect("somebody waits");
        assert!(shutdown.await.is_nothing());
        assert!(!background.spawn(Task::Body, async {}));
        assert!(!background.spawn(Task::Write, async {}));
    }

    #[tokio::test]
    async fn at_the_deadline_the_rest_is_ended_and_told() {
        let (store, background) = (Store::memory(), Background::default());
        let (end, ended) = oneshot::channel::<()>();
        background.spawn(Task::Write, async move {
            let _kept = end;
            std::future::pending::<()>().await;
        });
        let unfinished = background.shutdown(store.log(), Duration::ZERO).await;
        let expected = Unfinished {
            writes: 1,
            ..Unfinished::default()
        };
        assert_eq!(unfinished, expected);
        assert!(ended.await.is_err(), "it was dropped");
        // Also what panicked is not under way any more.
        let background = Background::default();
        assert!(background.spawn(Task::Write, async { panic!("it fails") }));
        assert!(background.shutdown(store.log(), LONG).await.is_nothing());
    }
}
