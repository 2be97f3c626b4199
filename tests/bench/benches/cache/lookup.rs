//! What the first level is built on: `quick_cache` against `moka`, with the same keys, weights and
//! hash.
//!
//! Keys come as they do to a busy site, the i-th most popular one 1/i as often as the first; there are
//! ten times more of them than there is room for. What is not there is put there.

use std::{hint::black_box, sync::Arc};

use criterion::{BenchmarkId, Criterion};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use tower_keep_bench::{BODY_BYTES, Load, report::note};

type Key = Box<[u8]>;
type Value = Arc<[u8; BODY_BYTES]>;

pub(crate) fn run(criterion: &mut Criterion, load: &Load) {
    let asked = Arc::new(Asked::new());
    measure(criterion, "moka", load, &asked, Moka::new);
    measure(criterion, "quick_cache", load, &asked, Quick::new);
}

trait Cache: Send + Sync + 'static {
    /// Whether it was there.
    fn find_or_put(&self, key: &Key) -> bool;
}

struct Quick(quick_cache::sync::Cache<Key, Value, ByWeight>);

#[derive(Clone)]
struct ByWeight;

impl Weighter<Key, Value> for ByWeight {
    fn weight(&self, key: &Key, value: &Value) -> u64 {
        u64::from(weight(key, value))
    }
}

impl Quick {
    fn new() -> Self {
        // As the first level does it.
        let options = OptionsBuilder::new()
            .estimated_items_capacity(ROOM)
            .weight_capacity(ROOM as u64 * WEIGHT)
            .shards(8)
            .build()
            .expect("every option is given");
        let cache = quick_cache::sync::Cache::with_options(
            options,
            ByWeight,
            DefaultHashBuilder::default(),
            Default::default(),
        );
        Self(cache)
    }
}

impl Cache for Quick {
    fn find_or_put(&self, key: &Key) -> bool {
        let found = black_box(self.0.get(&key[..])).is_some();
        if !found {
            self.0.insert(key.clone(), Arc::new([0; BODY_BYTES]));
        }
        found
    }
}

struct Moka(moka::sync::Cache<Key, Value, DefaultHashBuilder>);

impl Moka {
    fn new() -> Self {
        let cache = moka::sync::Cache::builder()
            .initial_capacity(ROOM)
            .max_capacity(ROOM as u64 * WEIGHT)
            .weigher(weight)
            .build_with_hasher(DefaultHashBuilder::default());
        Self(cache)
    }
}

impl Cache for Moka {
    fn find_or_put(&self, key: &Key) -> bool {
        let found = black_box(self.0.get(&key[..])).is_some();
        if !found {
            self.0.insert(key.clone(), Arc::new([0; BODY_BYTES]));
        }
        found
    }
}

fn weight(key: &Key, value: &Value) -> u32 {
    u32::try_from(key.len() + value.len()).expect("small")
}

/// The keys, and the order in which they are asked for.
struct Asked {
    keys: Vec<Key>,
    order: Vec<u32>,
}

impl Asked {
    fn new() -> Self {
        let key = |number| format!("GET https://api.example.com/items/{number:06}");
        let keys = (0..KEYS).map(|number| key(number).into_bytes().into());
        Self {
            keys: keys.collect(),
            order: zipf(KEYS, 1 << 20),
        }
    }

    fn starting_at(&self, place: usize) -> impl Iterator<Item = &Key> {
        let start = place * 7919 % self.order.len();
        let around = self.order[start..].iter().chain(&self.order).cycle();
        around.map(|key| &self.keys[*key as usize])
    }
}

fn measure<C: Cache>(
    criterion: &mut Criterion,
    name: &'static str,
    load: &Load,
    asked: &Arc<Asked>,
    new: impl Fn() -> C,
) {
    let cache = Arc::new(new());
    criterion.benchmark_group("lookup").bench_function(
        BenchmarkId::new(name, load.tasks()),
        |bencher| {
            fill(&*cache, asked);
            bencher.iter_custom(|times| {
                load.time(times, |task, share| {
                    let (cache, asked) = (cache.clone(), asked.clone());
                    async move {
                        for key in asked.starting_at(task).take(share as usize) {
                            black_box(cache.find_or_put(key));
                        }
                    }
                })
            });
            let hits = fill(&*cache, asked);
            note(name, format!("finds {hits:.1} % of the keys asked for"));
        },
    );
}

/// Once through all that is asked; how much of it was found, in percent.
fn fill(cache: &impl Cache, asked: &Asked) -> f64 {
    let keys = asked.order.iter().map(|key| &asked.keys[*key as usize]);
    let hits = keys.filter(|key| cache.find_or_put(key)).count();
    100.0 * hits as f64 / asked.order.len() as f64
}

/// Numbers below `keys`, the i-th as often as 1/(i+1), always the same ones.
fn zipf(keys: u32, count: usize) -> Vec<u32> {
    let mut total = 0.0;
    let sums: Vec<f64> = (1..=keys)
        .map(|rank| {
            total += 1.0 / f64::from(rank);
            total
        })
        .collect();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = || {
        // xorshift64: cheap, and good enough to choose keys by.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let uniform = (state >> 11) as f64 / (1_u64 << 53) as f64;
        let rank = sums.partition_point(|sum| *sum < uniform * total);
        u32::try_from(rank).expect("a rank below the number of keys")
    };
    (0..count).map(|_| draw()).collect()
}

const KEYS: u32 = 100_000;
const ROOM: usize = 10_000;
/// Of one entry.
const WEIGHT: u64 = 41 + BODY_BYTES as u64;
