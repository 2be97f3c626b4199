//! The store that tower-keep's layers share: Redis through bb8-redis, or memory of this process.

mod clock;
mod error;
mod key;
mod log;
mod memory;
mod outcome;
mod redis;
mod store;

pub use self::{
    clock::{Clock, Timestamp},
    error::{ConnectError, StoreError},
    key::{Key, push_part},
    log::{InvalidationLog, Mode, Stamp, Target, Verdict},
    outcome::{Outcome, OutcomeCell},
    store::{Store, StoreBuilder},
};
