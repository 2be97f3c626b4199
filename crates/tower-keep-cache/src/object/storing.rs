//! What becomes of a value that is there.

use std::{sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use tower_keep_store::Stamp;

use super::{ObjectCache, key::targets, value::Object};
use crate::{
    directive::Tag,
    engine::{
        early,
        entry::{Entry, Meta},
    },
};

impl<T> ObjectCache<T>
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    pub(super) fn insert(
        &self,
        key: &[u8],
        tags: &[Tag],
        value: Arc<T>,
        stamp: Stamp,
        cost: Duration,
    ) -> Arc<Entry<Object<T>>> {
        let entry = self.entry(key, tags, value, stamp, cost);
        self.engine.insert(entry)
    }

    pub(super) fn entry(
        &self,
        key: &[u8],
        tags: &[Tag],
        value: Arc<T>,
        stamp: Stamp,
        cost: Duration,
    ) -> Entry<Object<T>> {
        let class = &self.class.class;
        let now = self.engine.now();
        let fresh_until = now + class.jittered(now);
        let mut targets = targets(key, tags);
        targets.push(self.class.target);
        let object = Object::new(value);
        let fits = object.weight <= class.largest_body;
        let meta = Meta {
            stamp,
            targets: targets.into(),
            received: now,
            fresh_until,
            stale_until: fresh_until + class.stale_while_revalidate,
            error_until: fresh_until + class.stale_if_error,
            kept_until: fresh_until,
            cost,
            early: early::mean_lead(cost, class.early_refresh),
            first_level: class.first_level && fits,
            store: class.store && fits,
        };
        Entry::new(key.into(), meta, object)
    }
}
