//! Deliveries of a calendar service.

#![allow(clippy::unwrap_used)]

mod common;

use bytes::Bytes;
use common::Site;
use dashboard::Caller;
use http::{Request, StatusCode};

fn copy(request: &Request<Bytes>) -> Request<Bytes> {
    request.clone()
}

#[tokio::test]
async fn a_booking_is_inserted_and_the_dashboard_shows_it() {
    let site = Site::new();
    let mut caller = Caller::new(&site.database, 1, 3).await.unwrap();
    let interviewers = |json: serde_json::Value| json["interviews"]["interviewers"].clone();
    let before = interviewers(site.get("/api/dashboard/1").await.json());
    let reply = site.send(caller.next_booking().unwrap()).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{:?}", reply.body);
    assert!(reply.json()["interview"].is_number());
    let after = interviewers(site.get("/api/dashboard/1").await.json());
    assert_ne!(before, after);
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer() {
    let site = Site::new();
    let mut caller = Caller::new(&site.database, 1, 3).await.unwrap();
    let booking = caller.next_booking().unwrap();
    let first = site.send(copy(&booking)).await;
    let second = site.sibling().send(copy(&booking)).await;
    assert_eq!(first.status, StatusCode::CREATED);
    assert_eq!(first.body, second.body);
    assert_eq!(second.status, StatusCode::CREATED);
    assert_eq!(first.header("idempotent-replayed"), "");
    assert_eq!(second.header("idempotent-replayed"), "true");
}

#[tokio::test]
async fn two_deliveries_at_once_make_one_interview() {
    let site = Site::new();
    let sibling = site.sibling();
    let booking = Caller::new(&site.database, 1, 1)
        .await
        .unwrap()
        .next_booking()
        .unwrap();
    let (one, two) = tokio::join!(site.send(copy(&booking)), sibling.send(copy(&booking)));
    assert_eq!(one.body, two.body);
    let replayed = [&one, &two].map(|reply| reply.header("idempotent-replayed") == "true");
    assert_eq!(replayed.iter().filter(|replayed| **replayed).count(), 1);
}

#[tokio::test]
async fn a_key_is_good_for_one_body() {
    let site = Site::new();
    let mut caller = Caller::new(&site.database, 1, 2).await.unwrap();
    let (first, second) = (
        caller.next_booking().unwrap(),
        caller.next_booking().unwrap(),
    );
    let body = |request: &Request<Bytes>| request.body().clone();
    assert_eq!(
        site.send(caller.signed("same", body(&first))).await.status,
        StatusCode::CREATED
    );
    site.send(caller.signed("same", body(&second)))
        .await
        .expect_problem(422);
}

#[tokio::test]
async fn a_wrong_signature_is_refused() {
    let site = Site::new();
    let mut caller = Caller::new(&site.database, 1, 3).await.unwrap();
    let booking = caller.next_booking().unwrap();
    let mut changed = copy(&booking);
    *changed.body_mut() = [booking.body(), &b" "[..]].concat().into();
    site.send(changed).await.expect_problem(401);
    let mut other = copy(&booking);
    other
        .headers_mut()
        .insert("x-company", "2".parse().unwrap());
    site.send(other).await.expect_problem(401);
    let mut unknown = copy(&booking);
    unknown
        .headers_mut()
        .insert("x-company", "999".parse().unwrap());
    site.send(unknown).await.expect_problem(401);
    let mut unsigned = copy(&booking);
    unsigned.headers_mut().remove("x-signature");
    site.send(unsigned).await.expect_problem(401);
    assert_eq!(
        site.send(booking).await.status,
        StatusCode::CREATED,
        "it was never used up"
    );
}

#[tokio::test]
async fn a_delivery_without_sense_is_refused() {
    let site = Site::new();
    let mut caller = Caller::new(&site.database, 1, 3).await.unwrap();
    let good: serde_json::Value =
        serde_json::from_slice(caller.next_booking().unwrap().body()).unwrap();
    site.send(caller.signed("json", "not json"))
        .await
        .expect_problem(400);
    site.send(caller.signed("shape", "{}"))
        .await
        .expect_problem(422);
    for (field, value) in [
        ("candidate", 2),
        ("candidate", 99_999),
        ("interviewer", 99_999),
        ("starts_at", 0),
        ("starts_at", i64::MAX),
        ("minutes", 0),
        ("minutes", 10_000),
        ("minutes", i64::MIN),
    ] {
        let mut bad = good.clone();
        bad[field] = value.into();
        let key = format!("{field}{value}");
        site.send(caller.signed(&key, bad.to_string()))
            .await
            .expect_problem(422);
    }
    let mut without_key = caller.signed("x", good.to_string());
    without_key.headers_mut().remove("idempotency-key");
    site.send(without_key).await.expect_problem(400);
    site.send(caller.signed(&"k".repeat(200), good.to_string()))
        .await
        .expect_problem(400);
    site.send(caller.signed("size", " ".repeat(20_000)))
        .await
        .expect_problem(413);
}

#[tokio::test]
async fn the_configuration_is_loaded_once() {
    let site = Site::new();
    let mut caller = Caller::new(&site.database, 1, 3).await.unwrap();
    let mut queries = Vec::new();
    for _ in 0..3 {
        queries.push(site.send(caller.next_booking().unwrap()).await.queries());
    }
    assert!(
        queries[0] > queries[1] && queries[1] == queries[2],
        "{queries:?}"
    );
}
