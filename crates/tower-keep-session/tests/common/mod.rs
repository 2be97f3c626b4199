//! What the tests of this crate share: the two sides, and browsers that visit them.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test program uses some of it"
)]

mod browser;
mod side;
mod users;

pub(crate) use self::{
    browser::{Answer, Browser, Wire, fields},
    side::{LONG, START, Side, held},
    users::{devices, labels, list, users},
};

/// Each of these tests on both stores.
#[allow(unused_macros, reason = "each test program uses some of it")]
macro_rules! on_both_stores {
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::common::Side::embedded()).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::common::Side::redis()).await;
            })*
        }
    };
}
pub(crate) use on_both_stores;
