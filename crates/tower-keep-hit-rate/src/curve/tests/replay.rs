//! A stack without bounds (Mattson et al. 1970), its depths counted by a Fenwick tree over all requests.

use std::collections::HashMap;

use crate::curve::{LEAST, LONGEST, SHORTEST};

/// The true depths. What is long ago counts half as often as the curve has it.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    last: HashMap<u64, usize>,
    tree: Vec<u64>,
    depths: Vec<f64>,
    requests: f64,
    now: usize,
    halved_at: u64,
}

impl Replay {
    pub(crate) fn ask(&mut self, key: u64) {
        if self.tree.is_empty() {
            self.tree = vec![0; MOST + 1];
        }
        self.now += 1;
        self.requests += 1.0;
        if let Some(last) = self.last.insert(key, self.now) {
            let since = self.before(self.now) - self.before(last);
            let depth = usize::try_from(since).expect("few keys");
            self.depths.resize(self.depths.len().max(depth + 1), 0.0);
            self.depths[depth] += 1.0;
            self.add(last, u64::MAX);
        }
        self.add(self.now, 1);
        self.age();
    }

    pub(crate) fn keys(&self) -> u64 {
        self.last.len() as u64
    }

    pub(crate) fn hit_rate(&self, entries: u64) -> f64 {
        let entries = usize::try_from(entries).expect("few keys");
        let hits: f64 = self.depths.iter().take(entries).sum();
        hits / self.requests
    }

    fn age(&mut self) {
        let (now, half_life) = (self.now as u64, self.keys().clamp(SHORTEST, LONGEST));
        if now.is_multiple_of(LEAST) && now - self.halved_at >= half_life {
            self.depths.iter_mut().for_each(|count| *count /= 2.0);
            self.requests /= 2.0;
            self.halved_at = now;
        }
    }

    fn add(&mut self, mut at: usize, what: u64) {
        while at <= MOST {
            self.tree[at] = self.tree[at].wrapping_add(what);
            at += at & at.wrapping_neg();
        }
    }

    /// Keys whose last request was at this one or before.
    fn before(&self, mut at: usize) -> u64 {
        let mut sum = 0_u64;
        while at > 0 {
            sum = sum.wrapping_add(self.tree[at]);
            at -= at & at.wrapping_neg();
        }
        sum
    }
}

const MOST: usize = 1 << 20;
