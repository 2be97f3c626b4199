//! Changes told as what they are, and one place that knows what depends on them.
//!
//! Whoever changes something need not know what is cached: it says *what changed* ([`Changed`]), and
//! [`Rules`] say what depends on that. Events come one by one
//! ([`CacheHandle::changed`](crate::CacheHandle::changed)), or from any
//! [`Stream`](futures_core::Stream) ([`CacheHandle::follow`](crate::CacheHandle::follow)).

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use tower_keep_store::{Mode, Target};

pub(crate) use self::following::Follower;
pub use self::{
    changed::Changed,
    following::{Following, FollowingEnd},
    rules::Rules,
};
use crate::{
    dependency::Dependency,
    engine::{Engine, envelope::Value},
    http::key::KeyRules,
};

mod changed;
mod following;
mod rules;

/// What these events invalidate, each once: hard, if one of them says so.
pub(crate) fn effects<V: Value>(
    engine: &Engine<V>,
    rules: &Rules,
    keys: &KeyRules,
    events: &[Changed],
) -> Vec<(Target, Mode)> {
    let mut effects = HashMap::new();
    for event in events {
        for (dependency, mode) in judged(engine, rules, event) {
            raise(&mut effects, dependency.target(keys), mode);
        }
    }
    match effects.get(&Target::EVERYTHING) {
        Some(Mode::Hard) => vec![(Target::EVERYTHING, Mode::Hard)],
        _ => effects.into_iter().collect(),
    }
}

/// A rule that panics has said nothing, so it may have been about everything.
fn judged<V: Value>(engine: &Engine<V>, rules: &Rules, event: &Changed) -> Vec<(Dependency, Mode)> {
    match catch_unwind(AssertUnwindSafe(|| rules.judge(event))) {
        Ok(Some(effects)) => effects,
        Ok(None) => {
            let known = engine.count_unknown_event();
            if known.is_power_of_two() {
                tracing::warn!(kind = event.kind(), "a change of a kind without a rule");
            }
            Vec::new()
        }
        Err(_panic) => {
            tracing::error!(
                kind = event.kind(),
                "a rule panicked: everything is invalidated"
            );
            vec![(Dependency::everything(), Mode::Hard)]
        }
    }
}

fn raise(effects: &mut HashMap<Target, Mode>, target: Target, mode: Mode) {
    let effect = effects.entry(target).or_insert(mode);
    if mode == Mode::Hard {
        *effect = Mode::Hard;
    }
}
