//! What is said of a schedule that failed.

use std::fmt::Debug;

use crate::run::Run;

impl Run {
    /// Panics with what led to it.
    pub(crate) fn check<T: Debug + PartialEq>(&self, side: usize, key: u8, expected: &T, told: &T) {
        if expected == told {
            return;
        }
        let name = self.sides[side].name;
        let concerns = |of: &Option<u8>| of.is_none_or(|of| of == key);
        let trace = self.trace.iter().filter(|(of, _)| concerns(of));
        let mut last: Vec<&str> = trace.map(|(_, operation)| operation.as_str()).collect();
        let last = last
            .split_off(last.len().saturating_sub(SHOWN))
            .join("\n  ");
        let policies: Vec<String> = self
            .plan
            .policies
            .iter()
            .map(|policy| format!("{policy:?}"))
            .collect();
        let policies = policies.join("\n  ");
        panic!(
            "{}: {name} is not the model\n  {policies}\nlast of key {key}:\n  {last}\n\
             model: {expected:?}\n{name}: {told:?}",
            self.title
        );
    }
}

/// Operations that are shown.
const SHOWN: usize = 14;
