//! What is always told of a quota, written once.

use http::HeaderValue;
use sfv::{ItemSerializer, StringRef};

use super::{fields, figures::Allowance};
use crate::quota::Quota;

/// What is told of a policy's quota, whatever is left of it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(super) allowance: Allowance,
    /// The policy's name as a string of a structured field.
    pub(super) name: String,
    /// The member of `RateLimit-Policy`.
    pub(super) allowed: HeaderValue,
}

impl Told {
    pub(crate) fn of(name: &str, quota: Quota) -> Self {
        let allowance = Allowance::of(quota);
        let name = StringRef::from_str(name).expect("names are checked when a layer is built");
        Self {
            allowance,
            name: ItemSerializer::new().bare_item(name).finish(),
            allowed: fields::allowed(name, quota, allowance),
        }
    }
}
