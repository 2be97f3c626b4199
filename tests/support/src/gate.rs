use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::watch;

/// A gate that the test opens and closes; what passes it waits while it is closed.
///
/// It replaces the sleep of a slow origin: the test decides when the answer comes, and can see
/// how many are waiting for it. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate {
    state: watch::Sender<State>,
    waiters: Arc<AtomicUsize>,
}

impl Gate {
    /// A gate that lets everything pass.
    #[must_use]
    pub fn opened() -> Self {
        Self::starting(State {
            open: true,
            tickets: 0,
        })
    }

    /// A gate at which everything waits.
    #[must_use]
    pub fn closed() -> Self {
        Self::starting(State {
            open: false,
            tickets: 0,
        })
    }

    /// Lets everything pass from now on.
    pub fn open(&self) {
        self.state.send_modify(|state| state.open = true);
    }

    /// Makes everything wait from now on; unused tickets are void.
    pub fn close(&self) {
        self.state.send_modify(|state| {
            *state = State {
                open: false,
                tickets: 0,
            }
        });
    }

    /// Lets exactly `count` more pass a closed gate.
    pub fn let_through(&self, count: usize) {
        self.state.send_modify(|state| state.tickets += count);
    }

    /// How many are waiting at this moment.
    #[must_use]
    pub fn waiters(&self) -> usize {
        self.waiters.load(Ordering::SeqCst)
    }

    /// Passes the gate, as soon as it is open or a ticket is free.
    pub fn pass(&self) -> impl Future<Output = ()> + Send + use<> {
        let gate = self.clone();
        async move {
            let mut changes = gate.state.subscribe();
            let _waiting = Waiting::new(&gate.waiters);
            while !gate.admit() {
                changes
                    .changed()
                    .await
                    .expect("the gate holds its own sender");
            }
        }
    }

    fn starting(state: State) -> Self {
        Self {
            state: watch::Sender::new(state),
            waiters: Arc::default(),
        }
    }

    fn admit(&self) -> bool {
        let mut admitted = false;
        self.state.send_if_modified(|state| {
            admitted = state.open || state.tickets > 0;
            if admitted && !state.open {
                state.tickets -= 1;
            }
            false
        });
        admitted
    }
}

#[derive(Debug)]
struct State {
    open: bool,
    tickets: usize,
}

/// Counts a waiter for as long as it lives, so that one that is dropped is not counted on.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Gate;
    use crate::eventually;

    const BOUND: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn an_open_gate_lets_pass_and_a_closed_one_holds() {
        let gate = Gate::opened();
        gate.pass().await;
        gate.close();
        let waiting = tokio::spawn(gate.pass());
        eventually(BOUND, || async { gate.waiters() == 1 }).await;
        gate.open();
        waiting.await.expect("the waiter passes");
        assert_eq!(gate.waiters(), 0);
    }

    #[tokio::test]
    async fn tickets_let_exactly_as_many_pass() {
        let gate = Gate::closed();
        let _waiting: Vec<_> = (0..3).map(|_| tokio::spawn(gate.pass())).collect();
        eventually(BOUND, || async { gate.waiters() == 3 }).await;
        gate.let_through(2);
        eventually(BOUND, || async { gate.waiters() == 1 }).await;
        tokio::task::yield_now().await;
        assert_eq!(gate.waiters(), 1);
        gate.open();
        eventually(BOUND, || async { gate.waiters() == 0 }).await;
    }

    #[tokio::test]
    async fn a_dropped_waiter_is_not_counted_on() {
        let gate = Gate::closed();
        let waiting = tokio::spawn(gate.pass());
        eventually(BOUND, || async { gate.waiters() == 1 }).await;
        waiting.abort();
        eventually(BOUND, || async { gate.waiters() == 0 }).await;
    }
}
