//! Streams of keys for the simulations to be tested on.

use tower_keep_test_support::Random;

/// A name, and for each request which key it asks for.
pub(crate) type Workload<'a> = (&'a str, Box<dyn FnMut(&mut Random, u64) -> u64>);

/// The key of rank k comes as often as k to the power of minus s; by the inverse of the integral.
pub(crate) fn zipf(random: &mut Random, s: f64, keys: u64) -> u64 {
    let share = random.below(1 << 40) as f64 / (1_u64 << 40) as f64;
    let (most, part) = (keys as f64, 1.0 - s);
    let rank = if part.abs() < 1e-9 {
        most.powf(share)
    } else {
        (1.0 + share * (most.powf(part) - 1.0)).powf(1.0 / part)
    };
    rank as u64
}
