//! What the tests make up, and how they read what was written.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, header::AsHeaderName};
use sfv::{
    BareItemFromInput, KeyRef, Parser,
    visitor::{
        EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ListVisitor, ParameterVisitor,
    },
};

use crate::{
    bound::Bound,
    policy::Policy,
    quota::Quota,
    status::{PolicyStatus, RateLimitStatus, Refusal, Standing},
};

pub(super) fn policy(name: &str, quota: Quota, remaining: u32) -> PolicyStatus {
    of(&Policy::new(name, quota), remaining)
}

pub(super) fn of(policy: &Policy, remaining: u32) -> PolicyStatus {
    let rule = policy.quota.rule().expect("a good quota");
    PolicyStatus {
        bound: Arc::new(Bound::new(0, policy, policy.quota, rule)),
        remaining,
        standing: Standing::Passed,
        reset: Duration::ZERO,
        wait: Duration::ZERO,
    }
}

/// The same, had it refused the request for so long.
pub(super) fn refusing(policy: PolicyStatus, wait: Duration) -> PolicyStatus {
    PolicyStatus {
        standing: Standing::Refused,
        wait,
        ..policy
    }
}

pub(super) fn passed(policies: impl IntoIterator<Item = PolicyStatus>) -> RateLimitStatus {
    RateLimitStatus {
        refusal: None,
        policies: policies.into_iter().collect(),
    }
}

pub(super) fn refused(
    why: Refusal,
    policies: impl IntoIterator<Item = PolicyStatus>,
) -> RateLimitStatus {
    RateLimitStatus {
        refusal: Some(why),
        ..passed(policies)
    }
}

/// The lines of a header, in their order.
pub(super) fn lines(headers: &HeaderMap, name: impl AsHeaderName) -> Vec<String> {
    let text = |value: &HeaderValue| value.to_str().expect("visible ASCII").to_owned();
    headers.get_all(name).iter().map(text).collect()
}

/// A string with parameters that are numbers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) figures: BTreeMap<String, i64>,
}

/// The members of a list.
pub(super) fn parsed(line: &str) -> Vec<Member> {
    let mut list = List(Vec::new());
    let parser = Parser::new(line);
    parser.parse_list_with_visitor(&mut list).expect("a list");
    list.0
}

struct List(Vec<Member>);

impl<'de> ListVisitor<'de> for List {
    type Error = Infallible;

    fn entry(&mut self) -> Result<impl EntryVisitor<'de>, Infallible> {
        self.0.push(Member::default());
        Ok(self.0.last_mut().expect("it was just put there"))
    }
}

impl<'de> EntryVisitor<'de> for &mut Member {
    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        Ok(Ignored)
    }
}

impl<'de> ItemVisitor<'de> for &mut Member {
    type Error = Infallible;

    fn bare_item(
        self,
        item: BareItemFromInput<'de>,
    ) -> Result<impl ParameterVisitor<'de>, Infallible> {
        self.name = item.as_string().expect("a string").as_str().to_owned();
        Ok(self)
    }
}

impl<'de> ParameterVisitor<'de> for &mut Member {
    type Error = Infallible;

    fn parameter(
        &mut self,
        key: &'de KeyRef,
        item: BareItemFromInput<'de>,
    ) -> Result<(), Infallible> {
        let number = item.as_integer().expect("a number");
        self.figures.insert(key.as_str().to_owned(), number.into());
        Ok(())
    }
}
