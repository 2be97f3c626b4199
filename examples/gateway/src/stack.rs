//! The layers, put together.

use std::{borrow::Cow, sync::Arc};

use tower::limit::ConcurrencyLimit;
use tower_keep::{
    CacheHandle, CacheLayer, CachePolicy, Classes, ConfigError, RateLimitLayer, Store, TagField,
};
use tower_keep_hit_rate::{HitRateHandle, HitRateLayer};

use crate::{
    config::Config,
    error::StartError,
    limits,
    proxy::Proxy,
    routes::{RouteTable, Routes},
};

/// What answers from the cache or asks the origin.
pub(crate) type Cached = Routes<ConcurrencyLimit<Proxy>>;

/// The service and the layers around it, and the ways to look in.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) cached: Cached,
    pub(crate) limit: Option<RateLimitLayer>,
    pub(crate) hit_rate: HitRateLayer,
    pub(crate) handles: Handles,
}

/// What the admin address looks in with.
#[derive(Clone, Debug)]
pub(crate) struct Handles {
    pub(crate) cache: CacheHandle,
    pub(crate) hit_rate: HitRateHandle,
}

impl Stack {
    pub(crate) fn new(config: &Config, store: &Store, proxy: Proxy) -> Result<Self, StartError> {
        let table = Arc::new(RouteTable::new(config)?);
        let cache = cache(config, store, &table)?;
        let permits = config.bounds.origin_requests.min(MOST_PERMITS);
        let origin = ConcurrencyLimit::new(proxy, permits);
        let cached = Routes::new(table.clone(), &cache, &origin)
            .map_err(|error| StartError::from_config(&error))?;
        let (hit_rate, figures) =
            hit_rate(store, table).map_err(|error| StartError::from_config(&error))?;
        Ok(Self {
            cached,
            limit: limits::build(store, config)?,
            hit_rate,
            handles: Handles {
                cache: cache.handle(),
                hit_rate: figures,
            },
        })
    }
}

fn cache(
    config: &Config,
    store: &Store,
    table: &Arc<RouteTable>,
) -> Result<CacheLayer, StartError> {
    let classes = config.classes.iter();
    let classes = classes.fold(Classes::new(), |classes, (name, class)| {
        classes.class(name.as_str(), class.class())
    });
    let mut builder = CacheLayer::builder(store.clone())
        .classes(classes)
        .policy(CachePolicy::rfc9111())
        .targets(config.targets()?)
        .query(config.query.rules())
        .first_level_bytes(config.memory)
        .consistency(config.consistency.consistency())
        .cache_status(config.cache_status.status())
        .cache_status_name(config.cache_status_name.as_str());
    for name in config.key_fields()? {
        builder = builder.key_header(name);
    }
    for name in config.tag_fields()? {
        let field = if name == "surrogate-key" {
            TagField::surrogate_key()
        } else {
            TagField::separated_by_commas(name)
        };
        builder = builder.tag_field(field).hide_tag_fields();
    }
    if let Some(lease) = config.lease {
        builder = builder.lease(lease.0);
    }
    if let Some(soft) = config.timeouts.soft {
        builder = builder.soft_timeout(soft.0);
    }
    if table.has_exceptions() {
        let table = table.clone();
        builder = builder.bypass_when(move |request| table.excepts(request.uri.path()));
    }
    builder
        .build()
        .map_err(|error| StartError::from_config(&error))
}

/// Each route has figures of its own.
fn hit_rate(
    store: &Store,
    table: Arc<RouteTable>,
) -> Result<(HitRateLayer, HitRateHandle), ConfigError> {
    let builder = HitRateLayer::builder(store.clone());
    if table.is_empty() {
        return builder.build();
    }
    builder
        .label(move |request| {
            let path = table.pattern(request.uri.path())?;
            Some(Cow::Owned(path.to_owned()))
        })
        .build()
}

/// What a semaphore of tokio holds.
const MOST_PERMITS: usize = usize::MAX >> 3;
