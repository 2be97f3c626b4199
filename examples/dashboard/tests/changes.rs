//! A change is seen by the next read, in this process and in any other.

#![allow(clippy::unwrap_used)]

mod common;

use common::Site;
use http::StatusCode;

/// How many of the recruiter's candidates the dashboard counts as hired.
async fn hired(site: &Site, recruiter: i64) -> i64 {
    let dashboard = site
        .get(&format!("/api/dashboard/{recruiter}"))
        .await
        .json();
    let tallies = dashboard["pipeline"]["mine"].as_array().unwrap().clone();
    let tally = tallies.iter().find(|tally| tally["label"] == "hired");
    tally.map_or(0, |tally| tally["count"].as_i64().unwrap())
}

async fn candidate_to_hire(site: &Site) -> (i64, i64) {
    let list = site.get("/api/candidates?status=applied").await.json();
    let id = list["candidates"][0]["id"].as_i64().unwrap();
    let candidate = site.get(&format!("/api/candidates/{id}")).await.json();
    (id, candidate["recruiter_id"].as_i64().unwrap())
}

async fn applied(site: &Site) -> i64 {
    site.get("/api/candidates?status=applied").await.json()["total"]
        .as_i64()
        .unwrap()
}

#[tokio::test]
async fn a_new_status_is_seen_by_every_next_read() {
    let site = Site::new();
    let (id, recruiter) = candidate_to_hire(&site).await;
    let (was_hired, was_applied) = (hired(&site, recruiter).await, applied(&site).await);
    let reply = site.change_status(id, r#"{"status":"hired"}"#).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.json()["status"], "hired");
    let candidate = site.get(&format!("/api/candidates/{id}")).await;
    assert_eq!(candidate.json()["status"], "hired");
    assert_eq!(hired(&site, recruiter).await, was_hired + 1);
    assert_eq!(applied(&site).await, was_applied - 1);
}

#[tokio::test]
async fn the_read_after_a_change_asks_the_database_nothing() {
    let site = Site::new();
    let (id, _) = candidate_to_hire(&site).await;
    site.change_status(id, r#"{"status":"offer"}"#).await;
    let read = site.get(&format!("/api/candidates/{id}")).await;
    assert_eq!(read.json()["status"], "offer");
    assert_eq!(read.queries(), 0, "the change wrote the value through");
}

#[tokio::test]
async fn a_sibling_sees_the_change() {
    let site = Site::new();
    let sibling = site.sibling();
    let (id, recruiter) = candidate_to_hire(&site).await;
    let was_hired = hired(&sibling, recruiter).await;
    assert_eq!(hired(&site, recruiter).await, was_hired);
    let was_applied = applied(&sibling).await;
    site.change_status(id, r#"{"status":"hired"}"#).await;
    let seen = sibling.get(&format!("/api/candidates/{id}")).await.json();
    assert_eq!(seen["status"], "hired");
    assert_eq!(hired(&sibling, recruiter).await, was_hired + 1);
    assert_eq!(applied(&sibling).await, was_applied - 1);
}

#[tokio::test]
async fn a_hundred_changes_and_reads_never_show_an_old_status() {
    let site = Site::new();
    let sibling = site.sibling();
    for round in 0..100 {
        let status = ["screening", "interview", "offer", "rejected"][round % 4];
        let (writer, reader) = if round % 2 == 0 {
            (&site, &sibling)
        } else {
            (&sibling, &site)
        };
        writer
            .change_status(1, &format!(r#"{{"status":"{status}"}}"#))
            .await;
        for reader in [writer, reader] {
            assert_eq!(
                reader.get("/api/candidates/1").await.json()["status"],
                status
            );
        }
    }
}

#[tokio::test]
async fn a_refused_change_changes_nothing() {
    let site = Site::new();
    let before = site.get("/api/candidates/1").await;
    site.change_status(1, r#"{"status":"famous"}"#)
        .await
        .expect_problem(422);
    let after = site.get("/api/candidates/1").await;
    assert!(after.is_hit());
    assert_eq!(before.body, after.body);
}
