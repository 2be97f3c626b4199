//! What is done to one field at once: sums, takes, compare and set.

use futures_util::future::join_all;
use tokio::sync::Barrier;
use tower_keep_session::{Session, SessionError};
use tower_keep_test_support::seed;

use crate::common::{Browser, Side, on_both_stores};

/// As many requests at once as there are, on two processes; all have loaded before any goes on.
async fn at_once<R>(
    side: &Side,
    browser: &Browser,
    many: usize,
    job: impl AsyncFn(Session) -> R,
) -> Vec<R> {
    let layers = [side.layer(), side.layer()];
    let barrier = Barrier::new(many);
    let requests = (0..many).map(|i| {
        let mut browser = browser.at(&layers[i % 2]);
        let (barrier, job) = (&barrier, &job);
        async move {
            let job = async |session| {
                barrier.wait().await;
                job(session).await
            };
            browser.does(job).await
        }
    });
    join_all(requests).await
}

async fn of_64_increments_none_is_lost(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.set("other", 7).await;
    let add = async |session: Session| session.increment("count", 1).await.expect("adds");
    let mut sums = at_once(&side, &browser, 64, add).await;
    sums.sort_unstable();
    assert_eq!(sums, (1..=64).collect::<Vec<_>>(), "each sum once");
    assert_eq!(browser.get("count").await, Some(64));
    assert_eq!(browser.get("other").await, Some(7));
}

async fn of_many_that_take_a_value_one_gets_it(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.set("flash", 7).await;
    let take = async |session: Session| session.take::<i64>("flash").await.expect("takes");
    let taken = at_once(&side, &browser, 16, take).await;
    let taken: Vec<_> = taken.into_iter().flatten().collect();
    assert_eq!(taken, [7]);
    assert_eq!(browser.get("flash").await, None);
}

async fn of_many_that_update_a_value_each_sees_the_one_before(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.set("list", 0).await;
    let double = async |session: Session| {
        let update = session.update("list", |old: Option<i64>| Some(old.unwrap_or(0) + 10));
        update.await.expect("updates").expect("a value")
    };
    let mut values = at_once(&side, &browser, 8, double).await;
    values.sort_unstable();
    assert_eq!(values, [10, 20, 30, 40, 50, 60, 70, 80]);
    assert_eq!(browser.get("list").await, Some(80));
}

async fn numbers_are_exact_to_the_last_digit_and_do_not_wrap(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let large = i64::MAX - 1;
    let results = browser.does(async |session| {
        let first = session.increment("n", large).await;
        let second = session.increment("n", 1).await;
        let third = session.increment("n", 1).await;
        (first, second, third)
    });
    let (first, second, third) = results.await;
    assert_eq!(first.expect("adds"), large);
    assert_eq!(second.expect("adds"), i64::MAX);
    assert!(matches!(third, Err(SessionError::NotANumber)), "{third:?}");
    assert_eq!(browser.get("n").await, Some(i64::MAX));
}

/// The script adds in halves, as no number of Lua holds 64 bits.
async fn any_two_numbers_have_their_sum(side: Side) {
    let mut random = seed();
    let mut browser = Browser::new(&side.layer());
    for _ in 0..300 {
        let [one, other] = [(); 2].map(|()| number(&mut random));
        let add = async |session: Session| {
            session.set("n", &one).expect("is noted");
            session.increment("n", other).await.ok()
        };
        let sum = browser.does(add).await;
        assert_eq!(sum, one.checked_add(other), "{one} + {other}");
    }
}

/// Of any length, some beside where a half or the whole ends.
fn number(random: &mut u64) -> i64 {
    *random = random
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1);
    let bits = random.rotate_left(32).cast_signed() ^ (*random >> 7).cast_signed();
    let near = (*random >> 40).cast_signed() % 3 - 1;
    match *random >> 61 {
        0 => near,
        1 => 1_000_000_000 + near,
        2 => -1_000_000_000 + near,
        3 => i64::MAX - 1 + near,
        4 => i64::MIN + 1 + near,
        5 => bits % 4_000_000_000,
        _ => bits,
    }
}

async fn what_is_no_number_is_not_added_to(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let set = async |session: Session| session.set("n", &"one").expect("is set");
    browser.does(set).await;
    let sum = browser.does(async |session| session.increment("n", 1).await);
    assert!(matches!(sum.await, Err(SessionError::NotANumber)));
    let text = async |session: Session| session.get::<String>("n").expect("text");
    assert_eq!(browser.does(text).await.as_deref(), Some("one"));
}

async fn an_update_can_take_a_value_away(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.set("a", 1).await;
    let update = async |session: Session| {
        let gone = session.update("a", |_: Option<i64>| None).await;
        (
            gone.expect("updates"),
            session.get::<i64>("a").expect("none"),
        )
    };
    assert_eq!(browser.does(update).await, (None, None));
    assert_eq!(browser.get("a").await, None);
}

async fn a_request_sees_what_it_did_before(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let seen = browser.does(async |session| {
        session.set("a", &1).expect("is set");
        let sum = session.increment("a", 1).await.expect("adds");
        let read: Option<i64> = session.get("a").expect("a number");
        let taken: Option<i64> = session.take("a").await.expect("takes");
        let gone: Option<i64> = session.get("a").expect("nothing");
        (sum, read, taken, gone)
    });
    assert_eq!(seen.await, (2, Some(2), Some(2), None));
    assert_eq!(browser.get("a").await, None);
}

on_both_stores!(
    of_64_increments_none_is_lost,
    of_many_that_take_a_value_one_gets_it,
    of_many_that_update_a_value_each_sees_the_one_before,
    numbers_are_exact_to_the_last_digit_and_do_not_wrap,
    any_two_numbers_have_their_sum,
    what_is_no_number_is_not_added_to,
    an_update_can_take_a_value_away,
    a_request_sees_what_it_did_before,
);
