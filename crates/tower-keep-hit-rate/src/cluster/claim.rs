//! Who tells of lookups that are no requests, where several layers hear of the same.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use tower_keep_store::Evictions;

use crate::monitor::Monitor;

/// The layer that tells what objects and sessions do on a store.
struct Claim {
    store: Weak<Evictions>,
    holder: Weak<Monitor>,
    /// Since when the holder is known to be gone.
    gone: Option<Instant>,
}

impl Claim {
    fn of(monitor: &Arc<Monitor>) -> Self {
        Self {
            store: Arc::downgrade(&monitor.evictions),
            holder: Arc::downgrade(monitor),
            gone: None,
        }
    }
}

/// Whether this layer is the one of its store's: the first, or after it another, once nothing is there any more
/// of what the first has told.
pub(super) fn holds(monitor: &Arc<Monitor>, lives: Duration) -> bool {
    let mut claims = CLAIMS.lock().unwrap_or_else(PoisonError::into_inner);
    claims.retain(|claim| claim.store.strong_count() > 0);
    let store = Arc::as_ptr(&monitor.evictions);
    let Some(claim) = claims.iter_mut().find(|it| it.store.as_ptr() == store) else {
        claims.push(Claim::of(monitor));
        return true;
    };
    if claim.holder.strong_count() > 0 {
        return claim.holder.as_ptr() == Arc::as_ptr(monitor);
    }
    let gone = claim.gone.get_or_insert_with(Instant::now);
    let is_free = gone.elapsed() >= lives;
    if is_free {
        *claim = Claim::of(monitor);
    }
    is_free
}

static CLAIMS: Mutex<Vec<Claim>> = Mutex::new(Vec::new());

#[cfg(test)]
mod tests {
    use tower_keep_store::Clock;

    use super::*;
    use crate::rules::Rules;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn on(store: &Arc<Evictions>) -> Arc<Monitor> {
        let clock = Clock::system();
        Arc::new(Monitor::new(&clock, store.clone(), Rules::default()))
    }

    #[test]
    fn one_layer_of_each_store_tells_and_another_only_once_all_is_gone_that_it_told() {
        let [store, elsewhere] = [(); 2].map(|()| Arc::default());
        let (first, second, other) = (on(&store), on(&store), on(&elsewhere));
        for _ in 0..2 {
            let hold = [&first, &second, &other].map(|monitor| holds(monitor, Duration::ZERO));
            assert_eq!(hold, [true, false, true]);
        }
        drop(first);
        assert!(!holds(&second, DAY));
        assert!(holds(&second, Duration::ZERO));
        assert!(!holds(&on(&store), Duration::ZERO));
    }
}
