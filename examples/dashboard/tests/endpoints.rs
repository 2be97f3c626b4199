//! What each endpoint answers, and how it refuses.

#![allow(clippy::unwrap_used)]

mod common;

use common::Site;
use http::{Request, StatusCode};

#[tokio::test]
async fn a_dashboard_takes_many_queries_once() {
    let site = Site::new();
    let first = site.get("/api/dashboard/1").await;
    assert_eq!(first.status, StatusCode::OK);
    assert!(first.queries() >= 15);
    assert_eq!(first.json()["recruiter"]["id"], 1);
    let forecast = &first.json()["forecast"];
    for score in ["hire_this_quarter", "accepts_offer", "stays_a_year"] {
        assert!((0.0..=1.0).contains(&forecast[score]["mine"].as_f64().unwrap()));
    }
    let second = site.get("/api/dashboard/1").await;
    assert!(second.is_hit(), "{}", second.header("cache-status"));
    assert_eq!(second.queries(), 0);
    assert_eq!(second.body, first.body);
}

#[tokio::test]
async fn every_page_comes_from_the_cache_the_second_time() {
    let site = Site::new();
    for path in [
        "/api/recruiters",
        "/api/dashboard/2",
        "/api/jobs?seniority=senior&remote=true",
        "/api/recommendations/3",
        "/api/candidates/3",
        "/api/candidates?status=applied",
    ] {
        let first = site.get(path).await;
        assert_eq!(first.status, StatusCode::OK, "{path}");
        assert!(!first.is_hit() && first.queries() > 0, "{path}");
        let second = site.get(path).await;
        assert!(second.is_hit() && second.queries() == 0, "{path}");
        assert_eq!(first.body, second.body, "{path}");
    }
}

#[tokio::test]
async fn a_bypassed_request_is_computed_again() {
    let site = Site::new();
    for path in ["/api/jobs", "/api/candidates/3"] {
        let first = site.get(path).await;
        let again = site.get_bypassed(path).await;
        assert!(
            !again.is_hit() && again.queries() > 0,
            "{}",
            again.header("cache-status")
        );
        assert_eq!(first.body, again.body);
    }
}

#[tokio::test]
async fn a_candidate_has_an_id_a_name_and_a_status() {
    let candidate = Site::new().get("/api/candidates/5").await.json();
    assert_eq!(candidate["id"], 5);
    assert!(!candidate["name"].as_str().unwrap().is_empty());
    assert!(candidate["status"].is_string());
}

#[tokio::test]
async fn facets_count_what_their_choice_would_leave() {
    let site = Site::new();
    let catalog = site.get("/api/jobs?remote=true").await.json();
    let facets = catalog["facets"]["seniority"].as_array().unwrap();
    let sum: i64 = facets
        .iter()
        .map(|choice| choice["jobs"].as_i64().unwrap())
        .sum();
    assert_eq!(catalog["total"], sum);
    let senior = facets
        .iter()
        .find(|choice| choice["value"] == "senior")
        .unwrap();
    let narrowed = site
        .get("/api/jobs?remote=true&seniority=senior")
        .await
        .json();
    assert_eq!(narrowed["total"], senior["jobs"]);
    assert_eq!(
        narrowed["facets"]["seniority"],
        catalog["facets"]["seniority"]
    );
}

#[tokio::test]
async fn the_list_has_pages() {
    let site = Site::new();
    let first = site.get("/api/candidates?per_page=7").await.json();
    let second = site.get("/api/candidates?per_page=7&page=2").await.json();
    assert_eq!(first["candidates"].as_array().unwrap().len(), 7);
    assert_ne!(first["candidates"][0]["id"], second["candidates"][0]["id"]);
    let applied = site.get("/api/candidates?status=applied").await.json();
    for candidate in applied["candidates"].as_array().unwrap() {
        assert_eq!(candidate["status"], "applied");
    }
}

#[tokio::test]
async fn what_does_not_exist_is_a_404_and_never_cached() {
    let site = Site::new();
    for path in [
        "/api/dashboard/9999",
        "/api/dashboard/none",
        "/api/recommendations/9999",
        "/api/candidates/9999",
        "/api/candidates/-1",
        "/api/candidates/99999999999999999999",
        "/api/nothing",
    ] {
        site.get(path).await.expect_problem(404);
        let again = site.get(path).await;
        again.expect_problem(404);
        assert!(!again.is_hit(), "{path}");
    }
    site.change_status(9999, r#"{"status":"offer"}"#)
        .await
        .expect_problem(404);
}

#[tokio::test]
async fn bad_input_is_refused() {
    let site = Site::new();
    for path in [
        "/api/jobs?page=x",
        "/api/jobs?page=-1",
        "/api/jobs?location=Atlantis",
        "/api/jobs?remote=perhaps",
        "/api/candidates?status=famous",
        "/api/candidates?per_page=0",
        "/api/candidates?per_page=1000",
    ] {
        site.get(path).await.expect_problem(400);
    }
    site.change_status(1, "").await.expect_problem(400);
    site.change_status(1, "{").await.expect_problem(400);
    site.change_status(1, r#"{"status":"famous"}"#)
        .await
        .expect_problem(422);
    site.change_status(1, r#"{"state":"offer"}"#)
        .await
        .expect_problem(422);
    site.change_status(1, r#"{"status":"offer","id":2}"#)
        .await
        .expect_problem(422);
    site.change_status(1, &" ".repeat(20_000))
        .await
        .expect_problem(413);
    let delete = Request::delete("/api/candidates/1").body("").unwrap();
    site.send(delete).await.expect_problem(405);
}

#[tokio::test]
async fn a_search_text_is_never_sql() {
    let site = Site::new();
    let none = site.get("/api/jobs?q=%27%20OR%201%3D1%20--%25_").await;
    assert_eq!(none.status, StatusCode::OK);
    assert_eq!(none.json()["total"], 0);
}

#[tokio::test]
async fn the_page_allows_only_itself() {
    let page = Site::new().get("/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.header("content-type").starts_with("text/html"));
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'sha256-"));
    assert!(!policy.contains("unsafe"));
}

#[tokio::test]
async fn a_browser_asks_each_time_and_gets_a_304() {
    let site = Site::new();
    let path = "/api/candidates/2";
    site.get(path).await;
    let hit = site.get(path).await;
    assert_eq!(hit.header("cache-control"), "private, no-cache");
    let ask = Request::get(path)
        .header("host", "test")
        .header("if-none-match", hit.header("etag"))
        .body("")
        .unwrap();
    let same = site.send(ask).await;
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);
    assert!(same.body.is_empty());
}

#[tokio::test]
async fn cookies_of_other_applications_do_not_matter() {
    let site = Site::new();
    let path = "/api/candidates/2";
    site.get(path).await;
    let request = Request::get(path)
        .header("host", "test")
        .header("cookie", "theirs=1");
    assert!(site.send(request.body("").unwrap()).await.is_hit());
}
