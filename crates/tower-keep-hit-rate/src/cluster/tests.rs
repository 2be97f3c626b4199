//! What is told is read again, whatever it is; and nothing else is.

use std::sync::Arc;

use proptest::{collection::vec, prelude::*, sample::select};
use tower_keep_store::{Clock, Outcome, Store, Timestamp};
use tower_keep_test_support::{Random, RedisServer, eventually, seed};

use super::{
    begin,
    coarse::Coarse,
    sum::{Age, Sum},
    told::{Told, ToldClass, ToldWindow},
    wire::{LONGEST, decode, encode},
};
use crate::{
    classes::{ClassId, OTHER},
    counts::{Counts, FIGURES, OUTCOMES},
    histogram::{COARSE_CELLS, Histogram},
    kind::Kind,
    monitor::Monitor,
    rules::Rules,
    ticker::SECOND,
    windows::Window,
};

/// A monitor in which each of so many classes has answered so many requests: nine in ten hits of about 300 µs,
/// the others misses of about 20 ms, each spread over a factor of twenty.
fn busy(classes: usize, requests: u64, random: &mut Random) -> Monitor {
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let monitor = Monitor::new(&clock, Arc::default(), Rules::default());
    for number in 0..classes {
        let label = format!("/api/recommendations/{number:04}/{{candidate}}");
        for key in 0..requests {
            let now = monitor.ticker.now();
            let id = monitor.make(Kind::Http, &label, now);
            let (outcome, typical) = match key % 10 {
                0 => (Outcome::Miss, 20_000_000),
                _ => (Outcome::Hit, 300_000),
            };
            let took = typical / 5 + random.of_size(8) * typical / 64;
            let told = tower_keep_store::Told::from(outcome);
            monitor.count(id, told, now);
            monitor.class(id, now).time(told, took, took);
            monitor
                .class(id, now)
                .weigh(told, 10_000 + random.below(10_000));
        }
    }
    monitor
}

fn window() -> impl Strategy<Value = ToldWindow> {
    let figure = prop_oneof![Just(0), 0..300_u64, 0..1_u64 << 50];
    (0..1_u64 << 42, vec(figure, FIGURES)).prop_map(|(length, figures)| ToldWindow {
        length,
        counts: Counts::from_figures(figures.try_into().expect("so many")),
    })
}

fn latencies() -> impl Strategy<Value = Coarse> {
    let last = u16::try_from(COARSE_CELLS - 1).expect("few cells");
    proptest::collection::btree_map(0..=last, 0..1_u64 << 50, 0..20).prop_map(|cells| Coarse {
        cells: cells.into_iter().collect(),
    })
}

fn class() -> impl Strategy<Value = ToldClass> {
    let windows = [window(), window(), window(), window()];
    let latencies = [latencies(), latencies(), latencies(), latencies()];
    (select(&Kind::ALL), "[a-zé/{}]{0,40}", windows, latencies).prop_map(
        |(kind, label, windows, latencies)| ToldClass {
            kind,
            label: label.into(),
            windows,
            latencies,
        },
    )
}

fn told() -> impl Strategy<Value = Told> {
    let head = (0..1_u64 << 42, 0..1_u64 << 50, any::<u64>());
    (head, vec(class(), 0..6)).prop_map(|((uptime, requests, in_flight), classes)| Told {
        uptime,
        requests,
        in_flight,
        classes,
    })
}

proptest! {
    #[test]
    fn what_was_told_is_read_again_and_no_part_of_it_is(told in told(), cut in 0.0..1.0_f64, more: u8) {
        let bytes = encode(&told);
        let read = decode(&bytes).expect("whole");
        prop_assert_eq!(&read, &told);
        let cut = (bytes.len() as f64 * cut) as usize;
        prop_assert_eq!(decode(&bytes[..cut]), None);
        prop_assert_eq!(decode(&[&bytes[..], &[more]].concat()), None);
        let newer = [&[2], &bytes[1..]].concat();
        prop_assert_eq!(decode(&newer), None);
    }

    /// Garbage, and snapshots in which some bytes are others.
    #[test]
    fn whatever_is_read_does_no_harm(
        told in told(), garbage in vec(any::<u8>(), 0..600), changes in vec((any::<usize>(), any::<u8>()), 0..8),
    ) {
        let mut bytes = encode(&told);
        for (place, byte) in changes {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        let mut sum = Sum::default();
        for bytes in [bytes, garbage] {
            if let Some(told) = decode(&bytes) {
                (0..3).for_each(|_| sum.add(&told, Age::Silent(u64::MAX)));
            }
        }
        for class in sum.finish() {
            let _no_overflow = super::view::ClusterClass::of(class);
        }
    }
}

#[test]
fn twenty_busy_classes_take_less_than_sixteen_kib_and_what_has_no_room_is_told_as_other() {
    let mut random = Random::new(seed());
    let sizes = [1, 20, 100, 254].map(|classes| {
        let told = Told::now(&busy(classes, 3000, &mut random));
        let bytes = encode(&told);
        let read = decode(&bytes).expect("whole");
        let requests = |told: &Told| -> u64 {
            let requests = told
                .classes
                .iter()
                .map(|class| class.windows[3].counts.requests());
            requests.sum()
        };
        assert_eq!(
            requests(&read),
            classes as u64 * 3000,
            "what has no room is another"
        );
        assert_eq!(
            read.classes.iter().any(|class| &*class.label == OTHER),
            read.classes.len() < classes
        );
        bytes.len()
    });
    #[allow(clippy::print_stderr)]
    {
        eprintln!("bytes of 1, 20, 100, 254 classes: {sizes:?}");
    }
    assert!(sizes[1] <= 16 << 10 && sizes[3] <= LONGEST, "{sizes:?}");
}

#[test]
fn the_largest_snapshot_fits() {
    let all = u16::try_from(COARSE_CELLS).expect("few cells");
    let class = |number: usize| ToldClass {
        kind: Kind::Http,
        label: format!("{number:0>128}").into(),
        windows: [ToldWindow {
            length: 1 << 42,
            counts: Counts::from_figures([1 << 50; FIGURES]),
        }; 4],
        latencies: [(); 4].map(|()| Coarse {
            cells: (0..all).map(|cell| (cell, 1 << 50)).collect(),
        }),
    };
    let told = Told {
        classes: (0..256).map(class).collect(),
        ..Told::default()
    };
    let bytes = encode(&told);
    assert!(bytes.len() <= LONGEST, "{}", bytes.len());
    // 256 times 2^50 of one outcome is more than is believed: such counts are nobody's.
    assert_eq!(decode(&bytes), None);
}

/// As a hostile process would write it.
fn hostile(classes: &[u8], class: &[u8], times: usize) -> Vec<u8> {
    let head = [1, FIGURES as u8, 0, 0, 0];
    [&head, classes, &class.repeat(times)].concat()
}

#[test]
fn a_million_classes_long_labels_and_huge_counts_are_no_snapshot() {
    let empty = [&[Kind::Http as u8, 1, b'a'][..], &[0; 12]].concat();
    assert!(decode(&hostile(&[1], &empty, 1)).is_some());
    // A million, said and there.
    assert_eq!(
        decode(&hostile(&[0xC0, 0x84, 0x3D], &empty, 1_000_000)),
        None
    );
    let long = [&[Kind::Http as u8, 0x80, 0x20][..], &[b'a'; 4096], &[0; 12]].concat();
    assert_eq!(decode(&hostile(&[1], &long, 1)), None);
    let huge = [
        &[Kind::Http as u8, 1, b'a', 0, 1][..],
        &[0xFF; 9],
        &[1],
        &[0; 10],
    ]
    .concat();
    assert_eq!(decode(&hostile(&[1], &huge, 1)), None);
    let no_text = [&[Kind::Http as u8, 1, 0xFF][..], &[0; 12]].concat();
    assert_eq!(decode(&hostile(&[1], &no_text, 1)), None);
}

#[test]
fn sums_of_huge_times_do_not_overflow() {
    let mut figures = [u64::MAX; FIGURES];
    figures[..OUTCOMES.len()].fill(1 << 50);
    let mut class = ToldClass::empty(Kind::Http, "a".into());
    class.windows = [ToldWindow {
        length: 1 << 42,
        counts: Counts::from_figures(figures),
    }; 4];
    class.latencies[0].cells = (0..10).map(|cell| (cell, 1 << 50)).collect();
    let told = Told {
        classes: vec![class],
        ..Told::default()
    };
    let mut sum = Sum::default();
    (0..10_000).for_each(|_| sum.add(&told, Age::Fresh(0)));
    let class = sum.finish().remove(0);
    let read = super::view::ClusterClass::of(class);
    assert_eq!(read.since_start.outcomes.hit, 1 << 58);
    assert!(read.hit_latency.is_some_and(|latency| latency.count > 0));
}

#[test]
fn classes_one_too_many_are_summed_as_others() {
    let class = |number: u64| {
        let mut class = ToldClass::empty(Kind::Http, number.to_string().into());
        let mut figures = [0; FIGURES];
        figures[0] = 1;
        class.windows[3].counts = Counts::from_figures(figures);
        class
    };
    let mut sum = Sum::default();
    for process in 0..10 {
        let classes = (process * 200..(process + 1) * 200).map(class).collect();
        let told = Told {
            classes,
            ..Told::default()
        };
        sum.add(&told, Age::Fresh(0));
    }
    let classes = sum.finish();
    assert_eq!((classes.len(), &*classes[0].label), (254, OTHER));
    let hits = classes
        .iter()
        .map(|class| class.windows[3].counts.requests());
    assert_eq!(hits.sum::<u64>(), 2000);
}

#[test]
fn a_window_of_a_silent_process_has_what_surely_lies_in_it() {
    let mut class = ToldClass::empty(Kind::Http, "a".into());
    for (place, (seconds, hits)) in [(63, 1), (310, 10), (3610, 100), (9000, 1000)]
        .into_iter()
        .enumerate()
    {
        let mut figures = [0; FIGURES];
        figures[0] = hits;
        class.windows[place] = ToldWindow {
            length: seconds * 1000,
            counts: Counts::from_figures(figures),
        };
    }
    let told = Told {
        classes: vec![class],
        ..Told::default()
    };
    let hits = |age| {
        let mut sum = Sum::default();
        sum.add(&told, age);
        let class = sum.finish().remove(0);
        class.windows.map(|window| window.counts.hits())
    };
    assert_eq!(hits(Age::Fresh(0)), [1, 10, 100, 1000]);
    assert_eq!(hits(Age::Silent(20_000)), [0, 1, 10, 1000]);
    assert_eq!(hits(Age::Silent(237_000)), [0, 1, 10, 1000]);
    assert_eq!(hits(Age::Silent(237_001)), [0, 0, 10, 1000]);
    assert_eq!(hits(Age::Silent(3_300_000)), [0, 0, 1, 1000]);
    assert_eq!(hits(Age::Silent(u64::MAX)), [0, 0, 0, 1000]);
}

#[test]
fn coarse_latencies_are_within_seven_hundredths() {
    let mut random = Random::new(seed());
    for _ in 0..1000 {
        let took = 1000 + random.size(1 << 40);
        let histogram = Histogram::new();
        histogram.add(took);
        let mut coarse = Coarse::default();
        (0..3).for_each(|_| coarse.add(&Coarse::of(&histogram)));
        let read = coarse.read().expect("not empty");
        let truth = took as f64 / SECOND as f64;
        assert!((read.p50 - truth).abs() <= 0.07 * truth, "{took}: {read:?}");
        assert_eq!(read.count, 3);
    }
}

#[tokio::test]
async fn the_task_holds_nobody_and_ends_with_the_monitor() {
    let server = RedisServer::start();
    let store = Store::connect(&server.url()).expect("a good URL");
    let rules = Rules {
        cluster_every: Some(std::time::Duration::from_millis(10)),
        ..Rules::default()
    };
    let monitor = Arc::new(Monitor::new(store.clock(), Arc::default(), rules));
    begin(&store, &monitor);
    drop(store);
    let long = std::time::Duration::from_secs(10);
    eventually(long, async || server.command_stats().contains_key("zadd")).await;
    let now = monitor.ticker.now();
    assert_eq!(
        monitor
            .class(ClassId::Other(Kind::Http), now)
            .read(Window::Start, now)
            .counts
            .requests(),
        0
    );
    let weak = Arc::downgrade(&monitor);
    drop(monitor);
    eventually(long, async || weak.upgrade().is_none()).await;
    // Its connections go with it; one is the question's own.
    let clients = || server.command(&["CLIENT", "LIST"]).text().expect("text");
    eventually(long, async || clients().lines().count() == 1).await;
}

#[test]
fn all_processes_together_have_256_classes_at_most() {
    let mut sum = Sum::default();
    for process in 0..3 {
        let class = |(number, kind): (u32, Kind)| {
            let label = format!("{process} {number}");
            ToldClass::empty(kind, label.into())
        };
        let told = Told {
            classes: (0..100)
                .zip(Kind::ALL.into_iter().cycle())
                .map(class)
                .collect(),
            ..Told::default()
        };
        sum.add(&told, Age::Fresh(0));
    }
    let classes = sum.finish();
    assert!(classes.len() <= 256, "{}", classes.len());
    assert!(classes.iter().any(|class| &*class.label == OTHER));
}

/// Those that tell seldom are not silent, but their last minute is long over.
#[test]
fn a_window_that_was_told_long_ago_is_not_the_last() {
    let mut class = ToldClass::empty(Kind::Http, "a".into());
    for (window, seconds) in class.windows.iter_mut().zip([60, 300, 3600, 9000]) {
        let mut figures = [0; FIGURES];
        figures[0] = seconds;
        *window = ToldWindow {
            length: seconds * 1000,
            counts: Counts::from_figures(figures),
        };
    }
    let told = Told {
        classes: vec![class],
        ..Told::default()
    };
    for (age, counted) in [
        (15_000, [60, 300, 3600, 9000]),
        (60_000, [0, 300, 3600, 9000]),
        (180_000, [0, 60, 3600, 9000]),
        (7_200_000, [0, 0, 0, 9000]),
    ] {
        let mut sum = Sum::default();
        sum.add(&told, Age::Fresh(age));
        let class = sum.finish().remove(0);
        let hits = class.windows.map(|window| window.counts.requests());
        assert_eq!(hits, counted, "{age}");
    }
}
