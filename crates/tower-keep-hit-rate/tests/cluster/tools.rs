//! Layers on a server, and looks into it.

use std::time::Duration;

use tower::Layer;
use tower_keep_hit_rate::{Cluster, HitRate, HitRateHandle};
use tower_keep_store::{Clock, Outcome, Store, StoreBuilder, Timestamp};
use tower_keep_test_support::{RedisServer, Reply};

use crate::common::{Scripted, ask, by_segment, told};

/// A patient deadline: a busy machine is no failure.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// How often the processes of most tests tell.
pub(crate) const OFTEN: Duration = Duration::from_millis(50);

/// A layer with a store of its own: what another process would have.
pub(crate) struct Process {
    service: HitRate<Scripted>,
    pub(crate) handle: HitRateHandle,
}

impl Process {
    pub(crate) fn on(url: &str, every: Duration) -> Self {
        Self::with(Store::builder(), url, every)
    }

    /// By a clock that the test moves.
    pub(crate) fn by(clock: &Clock, url: &str, every: Duration) -> Self {
        Self::with(Store::builder().clock(clock.clone()), url, every)
    }

    fn with(builder: StoreBuilder, url: &str, every: Duration) -> Self {
        let store = builder.deadline(LONG).connect(url).expect("a good URL");
        let pair = by_segment(store).cluster_every(every).build();
        let (layer, handle) = pair.expect("makes sense");
        let service = layer.layer(Scripted(Clock::manual(START)));
        Self { service, handle }
    }

    /// Answers so many requests of a class.
    pub(crate) async fn count(&mut self, class: &str, outcome: Outcome, many: u64) {
        for _ in 0..many {
            let request = told(&format!("/{class}/1"), outcome, Duration::ZERO);
            ask(&mut self.service, request).await;
        }
    }

    pub(crate) fn cluster(&self) -> Cluster {
        self.handle.cluster().expect("it tells")
    }

    /// Requests of a class in all processes.
    pub(crate) fn sum(&self, class: &str) -> u64 {
        let cluster = self.cluster();
        let class = cluster.class(class);
        class.map_or(0, |class| class.since_start.outcomes.sum())
    }
}

/// The two keys of the view: the snapshots, and when they were told.
pub(crate) fn keys(server: &RedisServer) -> Option<[String; 2]> {
    let Reply::Array(Some(names)) = server.command(&["KEYS", "keep:h:*"]) else {
        panic!("KEYS answers with a list");
    };
    let mut names: Vec<_> = names.iter().filter_map(Reply::text).collect();
    names.sort_by_key(String::len);
    names.try_into().ok()
}

pub(crate) fn number(reply: &Reply) -> i64 {
    match reply {
        Reply::Integer(number) => *number,
        other => panic!("{other:?} is no number"),
    }
}
