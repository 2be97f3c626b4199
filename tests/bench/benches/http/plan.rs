//! What is wanted, as the command line says it.

use crate::{asked::Asked, threads::Threads, turns::Turns};

/// Which rows, and how thoroughly.
pub(crate) struct Plan {
    /// Parts of names; all where there is none.
    wanted: Vec<String>,
    pub(crate) turns: usize,
}

impl Plan {
    /// Nothing if no benchmark is wanted: cargo builds and starts them for other reasons too.
    pub(crate) fn from_args() -> Option<Self> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let has = |option: &str| arguments.iter().any(|argument| argument == option);
        let turns = if has("--quick") { 3 } else { 21 };
        let is_benchmark = has("--bench");
        let wanted = arguments
            .into_iter()
            .filter(|argument| !argument.starts_with('-'));
        is_benchmark.then(|| Self {
            wanted: wanted.collect(),
            turns,
        })
    }

    /// Compares two and prints the row, if it is wanted.
    pub(crate) fn compare(
        &self,
        threads: &Threads,
        name: &str,
        [baseline, subject]: [Asked; 2],
        target: Option<f64>,
    ) {
        if self.wants(name) {
            Turns::take(self, threads, [baseline, subject]).print(name, target);
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|part| name.contains(part.as_str()))
    }
}
