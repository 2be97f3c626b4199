//! Two requests at once, in two processes: neither loses what the other wrote.

use futures_util::future::join_all;
use tokio::sync::Barrier;
use tower_keep_session::Session;
use tower_keep_test_support::{Random, seed};

use crate::common::{Browser, Side, fields, on_both_stores};

async fn changes_of_different_fields_are_all_kept(side: Side) {
    let layers = [side.layer(), side.layer()];
    let mut browser = Browser::new(&layers[0]);
    browser.set("zero", 0).await;
    let both = Barrier::new(2);
    let write = async |at: usize, name: &str| {
        let mut browser = browser.at(&layers[at]);
        let job = async |session: Session| {
            both.wait().await;
            session.set(name, &1).expect("is set");
            both.wait().await;
        };
        browser.does(job).await;
    };
    tokio::join!(write(0, "left"), write(1, "right"));
    for name in ["left", "right"] {
        assert_eq!(browser.get(name).await, Some(1), "{name}");
    }
    assert_eq!(browser.get("zero").await, Some(0));
}

async fn a_removal_and_a_change_elsewhere_are_both_kept(side: Side) {
    let layers = [side.layer(), side.layer()];
    let mut browser = Browser::new(&layers[0]);
    browser.set("goes", 1).await;
    let both = Barrier::new(2);
    let mut first = browser.at(&layers[0]);
    let remove = first.does(async |session| {
        both.wait().await;
        session.remove("goes").expect("is removed");
    });
    let mut second = browser.at(&layers[1]);
    let set = second.does(async |session| {
        both.wait().await;
        session.set("comes", &2).expect("is set");
    });
    tokio::join!(remove, set);
    assert_eq!(browser.get("goes").await, None);
    assert_eq!(browser.get("comes").await, Some(2));
}

/// Requests that read all, and then change fields of their own, in an order that chance decides.
async fn whatever_the_schedule_each_field_has_its_last_value(side: Side) {
    let mut random = Random::new(seed());
    let layers = [side.layer(), side.layer()];
    let mut browser = Browser::new(&layers[0]);
    browser.set("start", 0).await;
    for round in 1..=20_i64 {
        let requests = 2 + random.few(5);
        let turns: Vec<_> = (0..requests)
            .map(|_| (random.index(2), random.few(4), random.few(4)))
            .collect();
        let work = turns.iter().enumerate().map(|(i, &(at, before, after))| {
            let mut browser = browser.at(&layers[at]);
            async move {
                let job = async |session: Session| {
                    for _ in 0..before {
                        tokio::task::yield_now().await;
                    }
                    session.set(&format!("field {i}"), &round).expect("is set");
                    for _ in 0..after {
                        tokio::task::yield_now().await;
                    }
                };
                browser.does(job).await;
            }
        });
        join_all(work).await;
        for i in 0..requests {
            assert_eq!(browser.get(&format!("field {i}")).await, Some(round));
        }
    }
}

async fn what_is_set_to_what_it_was_is_not_written_over_what_others_wrote(side: Side) {
    let layers = [side.layer(), side.layer()];
    let mut browser = Browser::new(&layers[0]);
    browser.set("value", 1).await;
    let mut other = browser.at(&layers[1]);
    let job = async |session: Session| {
        other.set("value", 2).await;
        session.set("value", &1).expect("is set");
    };
    browser.does(job).await;
    assert_eq!(browser.get("value").await, Some(2));
}

async fn a_response_of_5xx_changes_nothing(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.set("a", 1).await;
    let status = http::StatusCode::INTERNAL_SERVER_ERROR;
    let fail = async |session: Session| session.set("a", &2).expect("is set");
    let (_, answer) = browser.fails(status, fail).await;
    assert_eq!(answer.status(), status);
    assert_eq!(browser.get("a").await, Some(1));
}

async fn an_update_that_puts_nothing_in_creates_nothing(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let (result, answer) = browser
        .visit(async |session: Session| session.update("flash", |old: Option<i64>| old).await)
        .await;
    assert_eq!(result.expect("nothing to do"), None);
    assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
    assert_eq!(side.keys(), [""; 0]);
}

/// 64 at once, as `increment` is promised to bear.
async fn of_many_updates_at_once_none_is_refused(side: Side) {
    let layers = [side.layer(), side.layer()];
    let mut browser = Browser::new(&layers[0]);
    browser.set("n", 0).await;
    let all = Barrier::new(64);
    let work = (0..64).map(|i| {
        let mut browser = browser.at(&layers[i % 2]);
        let all = &all;
        async move {
            let add = async |session: Session| {
                all.wait().await;
                session.update("n", |n: Option<i64>| n.map(|n| n + 1)).await
            };
            browser.does(add).await.is_ok()
        }
    });
    let done = join_all(work)
        .await
        .into_iter()
        .filter(|done| *done)
        .count();
    assert_eq!(done, 64);
}

on_both_stores!(
    changes_of_different_fields_are_all_kept,
    a_removal_and_a_change_elsewhere_are_both_kept,
    whatever_the_schedule_each_field_has_its_last_value,
    what_is_set_to_what_it_was_is_not_written_over_what_others_wrote,
    a_response_of_5xx_changes_nothing,
    an_update_that_puts_nothing_in_creates_nothing,
    of_many_updates_at_once_none_is_refused,
);
