//! What is always told of a quota, written once.

use http::HeaderValue;
use sfv::{ItemSerializer, StringRef};

use super::{fields, figures::Allowance, problem};
use crate::quota::Quota;

/// What is told of a policy's quota, whatever is left of it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(super) allowance: Allowance,
    /// The policy's name as a string of a structured field.
    pub(super) name: String,
    /// The policy's name inside a string of JSON.
    pub(super) json: String,
    /// The problem that only this policy's quota is used up, around the seconds to wait.
    pub(super) problem: [String; 2],
    /// The member of `RateLimit-Policy`.
    pub(super) allowed: HeaderValue,
}

impl Told {
    pub(crate) fn of(name: &str, quota: Quota) -> Self {
        let allowance = Allowance::of(quota);
        let json = serde_json::to_string(name).expect("a string is JSON");
        let json = json[1..json.len() - 1].to_owned();
        let name = StringRef::from_str(name).expect("names are checked when a layer is built");
        Self {
            allowance,
            problem: problem::of_one(&json),
            json,
            name: ItemSerializer::new().bare_item(name).finish(),
            allowed: fields::allowed(name, quota, allowance),
        }
    }
}
