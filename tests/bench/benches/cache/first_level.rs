//! Answers out of this process's memory.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use criterion::Criterion;
use tower::{
    Layer,
    util::{MapRequest, MapResponse},
};
use tower_keep_bench::{Bare, Load, Request, exchange, get, head, measure, now, revalidating};
use tower_keep_cache::{CacheHandle, CacheLayer, Tag};
use tower_keep_store::{Clock, Mode, Store, Timestamp};

use crate::in_memory;

pub(crate) fn run(criterion: &mut Criterion, load: &Load) {
    let bare = Bare::new();
    measure(criterion, ("get", "bare"), load, &bare, |_| get(PATH));
    let cached = in_memory();
    load.block_on(exchange(&mut cached.clone(), get(PATH)));
    measure(criterion, ("get", "first-level-hit"), load, &cached, |_| {
        get(PATH)
    });
    measure(criterion, ("get", "not-modified"), load, &cached, |_| {
        revalidating(PATH)
    });
    measure(criterion, ("get", "head"), load, &cached, |_| head(PATH));
    in_another_second(criterion, load);
    by_variant(criterion, load);
    while_invalidating(criterion, load);
}

/// What is asked for so seldom that its age is another one each time.
fn in_another_second(criterion: &mut Criterion, load: &Load) {
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let store = Store::builder().clock(clock.clone()).memory();
    let cached = CacheLayer::new(store).layer(MapResponse::new(Bare::new(), for_decades));
    load.block_on(exchange(&mut cached.clone(), get(PATH)));
    let ticking = MapRequest::new(cached, move |request: Request| {
        clock.advance(Duration::from_secs(1));
        request
    });
    let name = ("get", "hit-in-another-second");
    measure(criterion, name, load, &ticking, |_| get(PATH));
}

fn for_decades<B>(mut response: http::Response<B>) -> http::Response<B> {
    let control = http::HeaderValue::from_static("public, max-age=2147483647");
    response
        .headers_mut()
        .insert(http::header::CACHE_CONTROL, control);
    response
}

/// A resource that differs by a field of the request: two look-ups.
fn by_variant(criterion: &mut Criterion, load: &Load) {
    let varying = MapResponse::new(Bare::new(), vary);
    let cached = CacheLayer::new(Store::memory()).layer(varying);
    load.block_on(exchange(&mut cached.clone(), get(PATH)));
    measure(criterion, ("get", "variant-hit"), load, &cached, |_| {
        get(PATH)
    });
}

fn vary<B>(mut response: http::Response<B>) -> http::Response<B> {
    let names = http::HeaderValue::from_static("accept-encoding");
    response.headers_mut().insert(http::header::VARY, names);
    response
}

/// The same hits, while somebody invalidates something else a thousand times a second.
fn while_invalidating(criterion: &mut Criterion, load: &Load) {
    let layer = CacheLayer::new(Store::memory());
    let cached = layer.layer(Bare::new());
    load.block_on(exchange(&mut cached.clone(), get(PATH)));
    let name = ("get", "hit-while-invalidating");
    let invalidating = Invalidating::start(layer.handle());
    measure(criterion, name, load, &cached, |_| get(PATH));
    invalidating.stop();
}

/// A thread that invalidates by a timetable.
struct Invalidating {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Invalidating {
    fn start(handle: CacheHandle) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let mut due = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                let unrelated = [Tag::of("unrelated", 7)];
                now(handle.invalidate(unrelated, Mode::Hard)).expect("embedded");
                due += Duration::from_millis(1);
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        });
        Self { stop, thread }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("a thread that does not panic");
    }
}

const PATH: &str = "/items/7";
