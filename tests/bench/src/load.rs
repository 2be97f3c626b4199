//! Who calls: one task, or as many as a busy server has.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use tokio::runtime::{Builder, Runtime};

/// A runtime and a number of tasks that call at the same time.
#[derive(Debug)]
pub struct Load {
    runtime: Runtime,
    tasks: usize,
}

impl Load {
    /// One task on a current-thread runtime: the cost of a call.
    #[must_use]
    pub fn alone() -> Self {
        Self::new(&mut Builder::new_current_thread(), 1)
    }

    /// 64 tasks on two workers: the cost of a call when others do the same.
    #[must_use]
    pub fn crowd() -> Self {
        Self::new(Builder::new_multi_thread().worker_threads(2), 64)
    }

    /// How many tasks call.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.tasks
    }

    /// Runs something on the runtime, such as what must be done before the clock starts.
    pub fn block_on<F: Future>(&self, work: F) -> F::Output {
        self.runtime.block_on(work)
    }

    /// The time it takes all tasks together to do `times` calls. `work(task, share)` is what one of
    /// them does.
    ///
    /// # Panics
    ///
    /// If a task does.
    pub fn time<F>(&self, times: u64, work: impl Fn(usize, u64) -> F) -> Duration
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if self.tasks == 1 {
            return self.runtime.block_on(async {
                let start = Instant::now();
                work(0, times).await;
                start.elapsed()
            });
        }
        self.runtime.block_on(async {
            let shares = shares(times, self.tasks);
            let start = Instant::now();
            let running: Vec<_> = shares
                .enumerate()
                .map(|(task, share)| self.runtime.spawn(work(task, share)))
                .collect();
            for task in running {
                task.await.expect("a task that does not panic");
            }
            start.elapsed()
        })
    }

    fn new(builder: &mut Builder, tasks: usize) -> Self {
        let runtime = builder.enable_all().build().expect("a runtime");
        Self { runtime, tasks }
    }
}

/// As even as it can be, and nothing lost.
fn shares(times: u64, tasks: usize) -> impl Iterator<Item = u64> {
    let tasks = tasks as u64;
    (0..tasks).map(move |task| times / tasks + u64::from(task < times % tasks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_somebodys() {
        for times in [0, 1, 63, 64, 65, 1000] {
            assert_eq!(shares(times, 64).sum::<u64>(), times);
        }
        assert!(shares(65, 64).all(|share| (1..=2).contains(&share)));
    }
}
