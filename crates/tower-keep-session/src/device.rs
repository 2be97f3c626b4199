//! A user's sessions, as a list shows them.

use std::{fmt, time::SystemTime};

use tower_keep_store::Timestamp;

use crate::place::Listed;

/// One of a user's sessions, as [`Session::list`](crate::Session::list) and
/// [`Sessions::list`](crate::Sessions::list) give it.
#[derive(Clone, PartialEq, Eq)]
pub struct Device {
    pub(crate) id: [u8; 16],
    created: SystemTime,
    label: String,
    is_this: bool,
}

impl Device {
    pub(crate) fn all(listed: Vec<Listed>, this: Option<[u8; 16]>) -> Vec<Self> {
        let device = |listed: Listed| Self {
            id: listed.id,
            created: Timestamp::from_micros(listed.created.saturating_mul(1000)).into(),
            is_this: this == Some(listed.id),
            label: listed.label,
        };
        listed.into_iter().map(device).collect()
    }

    /// A name for it that is safe to show, and does not lead to the session. A rotation does not change it.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.id))
    }

    /// When its user logged in.
    #[must_use]
    pub fn created(&self) -> SystemTime {
        self.created
    }

    /// What it said of itself: `User-Agent`, unless the layer was told otherwise. From the client: escape it.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether it is the one that asks.
    #[must_use]
    pub fn is_this(&self) -> bool {
        self.is_this
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device")
            .field("created", &self.created)
            .field("is_this", &self.is_this)
            .finish_non_exhaustive()
    }
}
