//! Sessions that are given a new ticket now and then.

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use tokio::sync::Barrier;
use tower_keep_session::{Session, SessionLayer};

use crate::common::{Browser, Side, fields, on_both_stores};

const HOUR: Duration = Duration::from_secs(3600);

fn layer(side: &Side) -> SessionLayer {
    let layer = side.builder().rotate_every(HOUR).build();
    layer.expect("makes sense")
}

async fn an_old_ticket_is_replaced_with_the_first_answer_that_needs_the_session(side: Side) {
    let mut browser = Browser::new(&layer(&side));
    browser.login("ada").await;
    browser.set("a", 1).await;
    for _ in 0..3 {
        side.advance(HOUR - Duration::from_secs(1));
        let (_, early) = browser.visit(async |session| session.user()).await;
        assert_eq!(fields(&early, "set-cookie"), [""; 0]);
        side.advance(Duration::from_secs(1));
        let (_, other) = browser.handled(async |_| ((), Default::default())).await;
        assert_eq!(fields(&other, "set-cookie"), [""; 0], "who does not look");
        let before = browser.cookie.clone();
        let (_, answer) = browser.visit(async |session| session.user()).await;
        assert_eq!(fields(&answer, "cache-control"), ["no-store"]);
        assert_ne!(browser.cookie, before);
        assert_eq!(browser.user().await.as_deref(), Some("ada"));
        assert_eq!(browser.get("a").await, Some(1));
    }
}

async fn what_a_request_changed_goes_with_it(side: Side) {
    let mut browser = Browser::new(&layer(&side));
    browser.set("a", 1).await;
    side.advance(HOUR);
    let mut old = browser.clone();
    if let Some(server) = side.server() {
        server.reset_stats();
    }
    let answer = browser.set("a", 2).await;
    if let Some(server) = side.server() {
        let sets = server.command_stats()["set"];
        assert_eq!(sets, 2, "the new one and the old; no write of its own");
    }
    assert_eq!(fields(&answer, "set-cookie").len(), 1);
    assert_eq!(browser.get("a").await, Some(2));
    assert_eq!(old.get("a").await, Some(2), "for its grace");
}

async fn requests_at_once_get_one_new_ticket_and_lose_nothing(side: Side) {
    let layers = [layer(&side), layer(&side)];
    let mut browser = Browser::new(&layers[0]);
    browser.login("ada").await;
    side.advance(HOUR);
    let all = Barrier::new(6);
    let requests = (0..6).map(|i| {
        let mut browser = browser.at(&layers[i % 2]);
        let all = &all;
        async move {
            let job = async |session: Session| {
                all.wait().await;
                session.set(&format!("field {i}"), &1).expect("is noted");
            };
            let (_, answer) = browser.visit(job).await;
            assert_eq!(answer.status(), StatusCode::OK);
            (fields(&answer, "set-cookie").len(), browser)
        }
    });
    let answers = join_all(requests).await;
    assert_eq!(answers.iter().map(|(cookies, _)| cookies).sum::<usize>(), 1);
    for (_, mut browser) in answers {
        for i in 0..6 {
            assert_eq!(browser.get(&format!("field {i}")).await, Some(1), "{i}");
        }
    }
}

async fn neither_a_5xx_nor_a_session_that_ended_gets_a_new_ticket(side: Side) {
    let mut browser = Browser::new(&layer(&side));
    browser.login("ada").await;
    side.advance(HOUR);
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    let (_, answer) = browser.fails(status, async |session| session.user()).await;
    assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
    let mut other = browser.clone();
    let (_, answer) = browser
        .visit(async |session: Session| {
            other
                .fails(status, async |session| {
                    session.logout().await.expect("logs out");
                })
                .await;
            session.set("late", &1).expect("is noted");
        })
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
    assert_eq!(browser.user().await, None);
}

on_both_stores!(
    an_old_ticket_is_replaced_with_the_first_answer_that_needs_the_session,
    what_a_request_changed_goes_with_it,
    requests_at_once_get_one_new_ticket_and_lose_nothing,
    neither_a_5xx_nor_a_session_that_ended_gets_a_new_ticket,
);
