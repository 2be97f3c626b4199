//! Threads that answer, each with connections of its own.
//!
//! A connection stays on the thread it was given to: no other wakes it, steals from it, or waits for the same poll of
//! the kernel, as happens where one scheduler shares all. That suits what answers within microseconds; whatever
//! would keep a thread for longer belongs on `spawn_blocking`.

use std::{io, sync::Arc, thread};

use tokio::{
    runtime::{Builder, Handle},
    sync::watch,
};

/// As many threads as were asked for: the one that makes them is the first.
#[derive(Debug)]
pub(crate) struct Workers {
    all: Vec<Worker>,
    /// They end when it is dropped.
    _running: watch::Sender<()>,
}

/// Where connections may be answered.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    runtime: Handle,
    /// One for each connection, and one more.
    busy: Arc<()>,
}

/// A connection that a worker has.
#[derive(Debug)]
pub(crate) struct Busy {
    _one: Arc<()>,
}

impl Worker {
    fn on(runtime: Handle) -> Self {
        Self {
            runtime,
            busy: Arc::new(()),
        }
    }

    /// One more connection, until it is dropped.
    pub(crate) fn busy(&self) -> Busy {
        Busy {
            _one: self.busy.clone(),
        }
    }

    /// Runs a task on this thread.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }
}

impl Workers {
    /// Starts all but the first, which is the runtime that this is called on.
    ///
    /// # Errors
    ///
    /// The system gives no more threads.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub(crate) fn start(number: usize) -> io::Result<Self> {
        let (running, stopped) = watch::channel(());
        let mut all = vec![Worker::on(Handle::current())];
        for number in 1..number {
            all.push(another(number, stopped.clone())?);
        }
        Ok(Self {
            all,
            _running: running,
        })
    }

    /// The one with the fewest connections.
    pub(crate) fn idlest(&self) -> &Worker {
        let load = |worker: &&Worker| Arc::strong_count(&worker.busy);
        let idlest = self.all.iter().min_by_key(load);
        idlest.expect("the first is always there")
    }
}

fn another(number: usize, mut stopped: watch::Receiver<()>) -> io::Result<Worker> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let worker = Worker::on(runtime.handle().clone());
    thread::Builder::new()
        .name(format!("gateway-{number}"))
        .spawn(move || runtime.block_on(async { while stopped.changed().await.is_ok() {} }))?;
    Ok(worker)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, thread::ThreadId};

    use tokio::sync::{mpsc, oneshot};

    use super::*;

    /// Says which thread it is on, and stays until it is let go.
    struct Stay {
        thread: ThreadId,
        _let_go: oneshot::Sender<()>,
    }

    async fn stay(workers: &Workers) -> Stay {
        let (tell, told) = oneshot::channel();
        let (let_go, stays) = oneshot::channel::<()>();
        let worker = workers.idlest();
        let busy = worker.busy();
        worker.spawn(async move {
            let _told = tell.send(thread::current().id());
            let _gone = stays.await;
            drop(busy);
        });
        Stay {
            thread: told.await.expect("it runs"),
            _let_go: let_go,
        }
    }

    #[tokio::test]
    async fn connections_are_spread_over_all_threads() {
        let workers = Workers::start(3).expect("threads");
        let mut stays = Vec::new();
        for _ in 0..6 {
            stays.push(stay(&workers).await);
        }
        let mut load = HashMap::<_, usize>::new();
        for stay in &stays {
            *load.entry(stay.thread).or_default() += 1;
        }
        assert_eq!(load.into_values().collect::<Vec<_>>(), [2, 2, 2]);
    }

    #[tokio::test]
    async fn one_worker_is_the_runtime_that_there_is() {
        let workers = Workers::start(1).expect("no thread");
        assert_eq!(stay(&workers).await.thread, thread::current().id());
    }

    #[tokio::test]
    async fn what_is_left_ends_with_the_workers() {
        let workers = Workers::start(2).expect("threads");
        // The first is idle, too: one there, and one on the other.
        let (held, mut gone) = mpsc::channel::<()>(1);
        let _here = stay(&workers).await;
        workers.idlest().spawn(async move {
            std::future::pending::<()>().await;
            drop(held);
        });
        drop(workers);
        assert_eq!(gone.recv().await, None);
    }
}
