//! Simulations that many ask at once.

use tower_keep_test_support::{Random, seed};

use super::*;
use crate::{curve::tests::replay::Replay, kind::Kind, workloads::zipf};

fn cacheable(key: u64, class: ClassId, now: u64) -> Question {
    Question {
        key,
        class,
        now,
        is_request: true,
        is_cacheable: true,
    }
}

#[test]
fn threads_that_do_nothing_else_lose_some_and_err_little() {
    const THREADS: u64 = 4;
    const REQUESTS: u64 = 400_000;
    let (simulations, classes, rules) = (Simulations::new(), Classes::new(), Rules::default());
    let class = classes.find_or_make(Kind::Http, "a", 0, &rules);
    let counted = Counted(&classes, &rules);
    let seed = seed();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let simulations = &simulations;
            scope.spawn(move || {
                let mut random = Random::new(seed ^ thread);
                for request in 0..REQUESTS / THREADS {
                    let key = Random::new(zipf(&mut random, 0.9, 50_000)).any();
                    simulations.ask(cacheable(key, class, 0), counted);
                    if request.is_multiple_of(10_000) {
                        simulations.catch_up(counted);
                    }
                }
            });
        }
    });
    let told = simulations.catch_up(counted).points;
    let mut replay = Replay::default();
    let mut random = Random::new(seed);
    (0..REQUESTS).for_each(|_| replay.ask(zipf(&mut random, 0.9, 50_000)));
    let errors = told
        .iter()
        .map(|point| (point.hit_rate - replay.hit_rate(point.entries)).abs());
    let error = errors.sum::<f64>() / told.len() as f64;
    let simulated = simulations.simulated.lock().expect("no panic");
    let lost = REQUESTS - simulated.curve.requests();
    println!("four threads: {lost} of {REQUESTS} lost, mean error {error:.4}");
    assert!(error <= 0.02);
}

#[test]
fn all_that_was_asked_before_a_reading_is_in_it() {
    let (simulations, classes, rules) = (Simulations::new(), Classes::new(), Rules::default());
    let counted = Counted(&classes, &rules);
    let ids = ["a", "b"].map(|label| classes.find_or_make(Kind::Http, label, 0, &rules));
    for request in 0..101 {
        for (class, every) in ids.into_iter().zip([1, 2]) {
            let now = request * every * 1_000_000_000;
            let key = 7 + u64::from(class.number());
            simulations.ask(cacheable(key, class, now), counted);
        }
    }
    simulations.catch_up(counted);
    // Every second, and every two seconds: of five seconds' lifetime, one of five and one of three is a fetch.
    let rates = ids.map(|id| classes.get(id, 0, &rules).rungs.read()[1].hit_rate);
    assert!(
        (rates[0] - 0.8).abs() < 0.02 && (rates[1] - 0.667).abs() < 0.02,
        "{rates:?}"
    );
}

#[test]
fn a_question_allocates_nothing() {
    let (simulations, classes, rules) = (Simulations::new(), Classes::new(), Rules::default());
    let class = classes.find_or_make(Kind::Http, "a", 0, &rules);
    let used = allocation_counter::measure(|| {
        for request in 0..200_000 {
            let key = Random::new(request * request % 50_021).any();
            simulations.ask(cacheable(key, class, 0), Counted(&classes, &rules));
            simulations.weigh(request);
        }
    });
    assert_eq!(used.count_total, 0);
}

#[test]
fn it_fits_in_a_megabyte() {
    let used = allocation_counter::measure(|| drop(Simulations::new()));
    println!("{} bytes", used.bytes_max);
    assert!(used.bytes_max <= 1 << 20, "{used:?}");
}
