use std::{future::Future, panic::Location, time::Duration};

use tokio::time::{Instant, sleep};

/// Polls a condition until it holds; panics, naming the caller, when it does not within `bound`.
///
/// The bound is a limit on failure, not a wait: a condition that holds returns at once.
#[track_caller]
pub fn eventually<C, F>(bound: Duration, condition: C) -> impl Future<Output = ()>
where
    C: FnMut() -> F,
    F: Future<Output = bool>,
{
    let caller = Location::caller();
    async move {
        assert!(
            holds_within(bound, condition).await,
            "the condition at {caller} did not come true within {bound:?}"
        );
    }
}

/// Polls a condition until it holds (`true`) or `bound` has passed (`false`).
pub async fn holds_within<C, F>(bound: Duration, mut condition: C) -> bool
where
    C: FnMut() -> F,
    F: Future<Output = bool>,
{
    let deadline = Instant::now() + bound;
    let mut pause = SHORTEST;
    while !condition().await {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
    true
}

const SHORTEST: Duration = Duration::from_micros(200);
const LONGEST: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use super::eventually;

    #[tokio::test]
    async fn returns_as_soon_as_the_condition_holds() {
        let tries = Cell::new(0);
        eventually(Duration::from_secs(5), || async {
            tries.set(tries.get() + 1);
            tries.get() == 3
        })
        .await;
        assert_eq!(tries.get(), 3);
    }

    #[tokio::test]
    #[should_panic(expected = "eventually.rs")]
    async fn panics_with_the_callers_place_after_the_bound() {
        eventually(Duration::from_millis(5), || async { false }).await;
    }
}
