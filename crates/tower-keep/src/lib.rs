#![doc = include_str!("../README.md")]

pub use tower_keep_cache::{
    Cache, CacheDirective, CacheHandle, CacheKey, CacheLayer, CacheLayerBuilder, CachePolicy,
    CacheStats, CacheStatus, Changed, Class, Classes, Dependency, Fence, Following, FollowingEnd,
    InspectedState, Inspection, NotStored, ObjectCache, QueryRules, Rules, Tag, TagField,
    Unfinished, Written,
};
pub use tower_keep_hit_rate as hit_rate;
pub use tower_keep_hit_rate::{HitRateHandle, HitRateLayer};
pub use tower_keep_rate_limit as rate_limit;
pub use tower_keep_rate_limit::RateLimitLayer;
pub use tower_keep_session as session;
pub use tower_keep_session::{CrossOriginLayer, Session, SessionLayer};
pub use tower_keep_store::{
    Clock, ConfigError, ConnectError, Consistency, Identity, Mode, Outcome, OutcomeCell, PeerAddr,
    Store, StoreBuilder, StoreError, Timestamp,
};

/// The types that only bounds and signatures name.
pub mod types {
    pub use tower_keep_cache::{ResponseBody, ResponseFuture};
    pub use tower_keep_store::{
        Doubt, Invalidation, InvalidationLog, Invalidations, Key, Moment, Stamp, Target, Verdict,
    };
}
