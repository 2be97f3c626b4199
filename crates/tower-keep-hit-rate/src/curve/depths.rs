//! How deep in the stack the keys lay that were asked for again.

use super::{LEVELS, stack::Found};

/// Counts by level and depth, halved now and then.
#[derive(Debug)]
pub(super) struct Depths {
    /// For each level, in buckets an eighth as wide as they are deep, or less.
    found: Box<[[f32; BUCKETS]; LEVELS]>,
    /// Requests of keys that were not in, by the last level on which these are sampled.
    missing: [f32; LEVELS],
}

impl Depths {
    pub(super) fn new() -> Self {
        Self {
            found: Box::new([[0.0; BUCKETS]; LEVELS]),
            missing: [0.0; LEVELS],
        }
    }

    /// Counts a request of a key that is sampled down to a level.
    pub(super) fn count(&mut self, lowest: usize, found: Option<Found>) {
        match found {
            Some(found) => self.found[found.level][bucket(found.depth)] += 1.0,
            None => self.missing[lowest] += 1.0,
        }
    }

    pub(super) fn halve(&mut self) {
        let counts = self.found.iter_mut().flatten();
        counts
            .chain(&mut self.missing)
            .for_each(|count| *count /= 2.0);
    }

    /// For each bucket, which share of all requests a cache answers that holds as much.
    ///
    /// The product-limit estimator (Kaplan and Meier 1958), from level to level: of the requests for keys that
    /// are sampled on a level, and that were on none above, so many are found there. It is right whichever
    /// keys the hashes have chosen, and where all were found on the first level it is a count.
    pub(super) fn hit_rates(&self) -> [f64; BUCKETS] {
        let sums: [f64; LEVELS] = std::array::from_fn(|level| sum(&self.found[level]));
        let mut rates = [0.0; BUCKETS];
        let mut remaining = 1.0;
        let mut at_risk = sums.iter().sum::<f64>() + sum(&self.missing);
        for ((found, sum), missing) in self.found.iter().zip(sums).zip(self.missing) {
            if at_risk < 1.0 {
                break;
            }
            let share = remaining / at_risk;
            for (rate, count) in rates.iter_mut().zip(found) {
                *rate += share * f64::from(*count);
            }
            remaining -= share * sum;
            at_risk -= sum + f64::from(missing);
        }
        let mut reached = 0.0;
        rates.map(|rate| {
            reached += rate;
            f64::min(reached, 1.0)
        })
    }
}

/// The bucket of a depth: each of its own up to 16, then eight to an octave.
pub(super) fn bucket(depth: u64) -> usize {
    let octave = depth.max(1).ilog2();
    let bucket = if depth < 16 {
        depth
    } else {
        16 + (u64::from(octave) - 4) * 8 + (depth >> (octave - 3)) % 8
    };
    let bucket = usize::try_from(bucket).expect("a few hundred");
    bucket.min(BUCKETS - 1)
}

/// How many entries a cache must hold that answers what a bucket has.
pub(super) fn entries(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 16 {
        return bucket + 1;
    }
    let (octave, part) = ((bucket - 16) / 8, (bucket - 16) % 8);
    (part + 9) << (octave + 1)
}

fn sum(counts: &[f32]) -> f64 {
    counts.iter().map(|count| f64::from(*count)).sum()
}

/// As many as the deepest level needs.
pub(super) const BUCKETS: usize = 176;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_ends_where_the_next_begins() {
        for of in 0..BUCKETS - 1 {
            assert_eq!(bucket(entries(of) - 1), of);
            assert_eq!(bucket(entries(of)), of + 1);
        }
    }
}
