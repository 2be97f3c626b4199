//! Signing in and out, and what only the owner of an account sees.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use axum::body::Body;
use common::{LOCAL, Reply, Site};
use dashboard::Sessions;
use http::{Request, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;
use tower_keep::{Clock, Store, StoreBuilder, Timestamp};
use tower_keep_test_support::RedisServer;

#[tokio::test]
async fn the_demo_account_signs_in_and_out() {
    let site = Site::new();
    let mut browser = site.client("browser");
    assert_eq!(browser.who().await, None);
    let reply = browser.sign_in(DEMO, "demo").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.json()["email"], DEMO);
    assert_eq!(reply.json()["recruiter_id"], 1);
    assert!(!reply.json().to_string().contains("argon2"));
    assert_eq!(reply.header("cache-control"), "no-store");
    let cookie = reply.header("set-cookie");
    assert!(cookie.starts_with("__Host-id="), "{cookie}");
    for attribute in ["; HttpOnly", "; Secure", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert_eq!(browser.who().await.unwrap(), DEMO);
    let mut copy = browser.copy();
    let reply = browser.post("/api/logout").await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
    assert!(reply.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(browser.who().await, None);
    assert_eq!(copy.who().await, None, "a kept cookie is of no use");
}

/// Who does not ask to be remembered is forgotten with the browser's window, and after a day in any case.
#[tokio::test]
async fn who_asks_for_it_is_remembered_when_the_browser_is_closed() {
    let (site, clock) = on_memory();
    for (remember, stays) in [
        ("", true),
        (r#","remember":true"#, true),
        (r#","remember":false"#, false),
    ] {
        let mut browser = site.client("browser");
        let login = format!(r#"{{"email":"{DEMO}","password":"demo"{remember}}}"#);
        let reply = browser.send("POST", "/api/login", &login).await;
        assert_eq!(reply.status, StatusCode::OK);
        let cookie = reply.header("set-cookie");
        assert_eq!(cookie.contains("Max-Age="), stays, "{cookie}");
        for _ in 0..2 {
            assert_eq!(browser.who().await.as_deref(), Some(DEMO));
            clock.advance(Duration::from_secs(13 * 3600));
        }
        assert_eq!(browser.who().await.is_some(), stays);
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_get_the_same_answer() {
    let site = Site::new();
    let mut browser = site.client("browser");
    let wrong = browser.sign_in(DEMO, "Demo").await;
    let unknown = browser.sign_in("nobody@example.com", "demo").await;
    wrong.expect_problem(401);
    unknown.expect_problem(401);
    assert_eq!(wrong.body, unknown.body);
    assert!(!wrong.headers.contains_key("set-cookie"));
    assert_eq!(browser.who().await, None);
}

#[tokio::test]
async fn an_address_may_be_written_in_any_case() {
    let site = Site::new();
    let reply = site
        .client("browser")
        .sign_in(" Demo@Example.COM ", "demo")
        .await;
    assert_eq!(reply.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_no_login_is_refused_and_no_failure() {
    let site = Site::new();
    for (body, status) in [
        ("", 400),
        ("email=demo", 400),
        ("[]", 422),
        (r#"{"email":"demo@example.com"}"#, 422),
        (r#"{"email":1,"password":"demo"}"#, 422),
        (
            r#"{"email":"demo@example.com","password":"demo","remember":1}"#,
            422,
        ),
    ] {
        for _ in 0..3 {
            let reply = site
                .client("browser")
                .send("POST", "/api/login", body)
                .await;
            reply.expect_problem(status);
        }
    }
    let large = format!(
        r#"{{"email":"demo@example.com","password":"{}"}}"#,
        "x".repeat(20_000)
    );
    let reply = site
        .client("browser")
        .send("POST", "/api/login", &large)
        .await;
    reply.expect_problem(413);
    site.client("browser").demo().await;
    site.get("/api/login").await.expect_problem(405);
}

#[tokio::test]
async fn five_failures_are_enough_for_a_quarter_of_an_hour() {
    let (site, clock) = on_memory();
    let mut browser = site.client("browser");
    for _ in 0..5 {
        browser.sign_in(DEMO, "demo").await;
        browser.sign_in(DEMO, "wrong").await.expect_problem(401);
    }
    let refusal = browser.sign_in(DEMO, "demo").await;
    refusal.expect_problem(429);
    let seconds: u64 = refusal.header("retry-after").parse().unwrap();
    assert!((1..=960).contains(&seconds), "{seconds}");
    let other = browser.sign_in("second@example.com", "second").await;
    assert_eq!(other.status, StatusCode::OK, "another account");
    let login = r#"{"email":"demo@example.com","password":"demo"}"#;
    let elsewhere = Request::post("/api/login").body(Body::from(login)).unwrap();
    let elsewhere = site.send_from([127, 0, 0, 2], elsewhere).await;
    assert_eq!(elsewhere.status, StatusCode::OK, "another address");
    clock.advance(Duration::from_secs(seconds));
    let reply = browser.sign_in(DEMO, "demo").await;
    assert_eq!(reply.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_passwords_tried_at_once_five_may_be_wrong_and_all_may_be_right() {
    let redis = RedisServer::start();
    let shared = Site::on(patient().connect(&redis.url()).unwrap());
    for site in [Site::new(), shared] {
        assert_eq!(at_once(&site, "demo").await, [30, 0, 0]);
        assert_eq!(at_once(&site, "wrong").await, [0, 5, 25]);
        assert_eq!(at_once(&site, "demo").await, [0, 0, 30]);
    }
}

/// How many of thirty are signed in, have failed, and were not let try.
async fn at_once(site: &Site, password: &str) -> [usize; 3] {
    let login = json!({ "email": DEMO, "password": password }).to_string();
    let tries = (0..30).map(|_| {
        let request = Request::post("/api/login").body(Body::from(login.clone()));
        site.send_from(LOCAL, request.unwrap())
    });
    let replies = tries.collect::<JoinSet<Reply>>().join_all().await;
    [200, 401, 429].map(|status| {
        let replies = replies.iter();
        replies.filter(|reply| reply.status == status).count()
    })
}

#[tokio::test]
async fn without_tls_the_cookie_can_go_without_its_promises() {
    let site = Site::with(Sessions {
        insecure_cookies: true,
        ..Sessions::default()
    });
    let mut browser = site.client("browser");
    let reply = browser.sign_in(DEMO, "demo").await;
    let cookie = reply.header("set-cookie");
    assert!(
        cookie.starts_with("id=") && !cookie.contains("Secure"),
        "{cookie}"
    );
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"));
    assert_eq!(browser.who().await.unwrap(), DEMO);
}

#[tokio::test]
async fn a_browser_that_signs_in_again_leaves_no_session_behind() {
    let site = Site::new();
    let mut browser = site.client("browser").demo().await;
    let mut planted = browser.copy();
    browser.sign_in("second@example.com", "second").await;
    assert_eq!(browser.who().await.unwrap(), "second@example.com");
    assert_eq!(planted.who().await, None);
    let mut browser = browser.demo().await;
    let devices = browser.get("/api/devices").await.json();
    assert_eq!(labels(&devices), ["browser"]);
}

/// `%ff` is no text: it names no device, and the answer is the application's own.
#[tokio::test]
async fn what_names_no_device_ends_none() {
    let site = Site::new();
    for id in ["0", "%ff", "a%00b", "%C3%A9", "x%2Fy"] {
        let path = format!("/api/devices/{id}");
        let mut nobody = site.client("browser");
        nobody.send("DELETE", &path, "").await.expect_problem(401);
        let mut browser = site.client("browser").demo().await;
        let reply = browser.send("DELETE", &path, "").await;
        reply.expect_problem(404);
        assert_eq!(browser.who().await.unwrap(), DEMO);
    }
}

#[tokio::test]
async fn a_page_of_another_site_signs_nobody_in_or_out() {
    let site = Site::new();
    let login = r#"{"email":"demo@example.com","password":"demo"}"#;
    for (name, value, passes) in [
        ("sec-fetch-site", "cross-site", false),
        ("sec-fetch-site", "same-site", false),
        ("sec-fetch-site", "same-origin", true),
        ("origin", "http://evil.example", false),
        ("origin", "http://test", true),
        ("accept", "*/*", true),
    ] {
        for path in ["/api/login", "/api/logout"] {
            let request = Request::post(path)
                .header("host", "test")
                .header(name, value);
            let reply = site.send(request.body(Body::from(login)).unwrap()).await;
            assert_eq!(reply.status.is_success(), passes, "{path} {name}: {value}");
            if !passes {
                assert_eq!(reply.status, StatusCode::FORBIDDEN);
                assert!(!reply.headers.contains_key("set-cookie"));
            }
        }
    }
}

#[tokio::test]
async fn devices_are_listed_and_revoked() {
    let site = Site::new();
    let mut laptop = site.client("laptop").demo().await;
    let mut phone = site.client("phone").demo().await;
    let devices = laptop.get("/api/devices").await.json();
    assert_eq!(labels(&devices), ["laptop", "phone"]);
    assert_eq!(devices[0]["is_this"], true);
    assert_eq!(devices[1]["is_this"], false);
    let id = devices[1]["id"].as_str().unwrap();

    let mut other = site.client("other");
    other.sign_in("second@example.com", "second").await;
    let path = format!("/api/devices/{id}");
    other.send("DELETE", &path, "").await.expect_problem(404);
    site.client("nobody")
        .send("DELETE", &path, "")
        .await
        .expect_problem(401);
    assert_eq!(phone.who().await.unwrap(), DEMO);

    let reply = laptop.send("DELETE", &path, "").await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
    assert_eq!(phone.who().await, None);
    let devices = laptop.get("/api/devices").await.json();
    assert_eq!(labels(&devices), ["laptop"]);
    laptop.send("DELETE", &path, "").await.expect_problem(404);

    let own = format!("/api/devices/{}", devices[0]["id"].as_str().unwrap());
    laptop.send("DELETE", &own, "").await;
    assert_eq!(laptop.who().await, None);
    laptop.get("/api/devices").await.expect_problem(401);
}

#[tokio::test]
async fn a_logout_everywhere_ends_all_of_an_account_and_nothing_else() {
    let site = Site::new();
    let mut laptop = site.client("laptop").demo().await;
    let mut phone = site.client("phone").demo().await;
    let mut other = site.client("other");
    other.sign_in("second@example.com", "second").await;
    let reply = phone.post("/api/logout-everywhere").await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
    assert_eq!((laptop.who().await, phone.who().await), (None, None));
    assert_eq!(other.who().await.unwrap(), "second@example.com");
    phone
        .post("/api/logout-everywhere")
        .await
        .expect_problem(401);
    laptop.demo().await;
}

#[tokio::test]
async fn a_session_ends_a_day_after_its_last_request() {
    let (site, clock) = on_memory();
    let mut browser = site.client("browser").demo().await;
    for _ in 0..3 {
        clock.advance(Duration::from_secs(23 * 3600));
        assert!(browser.who().await.is_some());
        // The deadline is put off without anybody waiting for it.
        tokio::task::yield_now().await;
    }
    clock.advance(Duration::from_secs(24 * 3600 + 1));
    assert_eq!(browser.who().await, None);
    let devices = browser.demo().await.get("/api/devices").await.json();
    assert_eq!(labels(&devices), ["browser"], "what expired is not listed");
}

#[tokio::test]
async fn a_token_is_a_session_that_can_be_revoked() {
    let site = Site::new();
    let login = r#"{"email":"demo@example.com","password":"demo"}"#;
    let request = Request::post("/api/tokens")
        .body(Body::from(login))
        .unwrap();
    let reply = site.send(request).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert!(!reply.headers.contains_key("set-cookie"));
    let token = reply.header("session-ticket").to_owned();
    assert_eq!(with_token(&site, &token).await.json()["email"], DEMO);

    let mut browser = site.client("browser").demo().await;
    let devices = browser.get("/api/devices").await.json();
    assert_eq!(labels(&devices), ["API token", "browser"]);
    let path = format!("/api/devices/{}", devices[0]["id"].as_str().unwrap());
    browser.send("DELETE", &path, "").await;
    with_token(&site, &token).await.expect_problem(401);
    with_token(&site, "made-up").await.expect_problem(401);
}

#[tokio::test]
async fn a_recruiters_page_is_for_its_recruiter_alone() {
    let site = Site::new();
    let reply = site.get("/recruiter").await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER);
    assert_eq!(reply.header("location"), "/#account");
    let mut one = site.client("one").demo().await;
    let mut two = site.client("two");
    two.sign_in("second@example.com", "second").await;
    for _ in 0..3 {
        for (client, own, foreign) in [
            (&mut one, DEMO, "second@example.com"),
            (&mut two, "second@example.com", DEMO),
        ] {
            let page = client.get("/recruiter").await;
            assert_eq!(page.status, StatusCode::OK);
            assert!(!page.is_hit() && page.queries() > 0);
            assert_eq!(page.header("cache-control"), "no-store");
            let text = String::from_utf8(page.body.to_vec()).unwrap();
            assert!(text.contains(own) && !text.contains(foreign), "{text}");
        }
    }
    assert_eq!(site.get("/recruiter").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn open_pages_come_from_the_cache_for_who_is_signed_in_too() {
    let site = Site::new();
    let mut browser = site.client("browser").demo().await;
    for path in ["/api/candidates/3", "/api/jobs", "/api/dashboard/1"] {
        let first = site.get(path).await;
        let second = browser.get(path).await;
        assert!(second.is_hit(), "{path}: {}", second.header("cache-status"));
        assert_eq!(second.queries(), 0);
        assert_eq!(first.body, second.body);
        assert!(!second.header("vary").contains("cookie"));
        assert!(!second.headers.contains_key("set-cookie"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_applications_on_one_redis_know_the_same_sessions() {
    let redis = RedisServer::start();
    let store = || patient().connect(&redis.url()).unwrap();
    let one = Site::on(store());
    let two = one.sibling_on(store());
    let here = one.client("browser").demo().await;
    let mut there = here.at(&two);
    assert_eq!(there.who().await.unwrap(), DEMO);
    let page = there.get("/recruiter").await;
    assert!(
        String::from_utf8(page.body.to_vec())
            .unwrap()
            .contains(DEMO)
    );
    there.post("/api/logout-everywhere").await;
    let mut here = here.copy();
    assert_eq!(here.who().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_down_nobody_is_taken_for_signed_out() {
    let mut redis = RedisServer::start();
    let site = Site::on(patient().connect(&redis.url()).unwrap());
    let mut browser = site.client("browser").demo().await;
    redis.kill();
    browser.get("/api/me").await.expect_problem(503);
    browser.get("/recruiter").await.expect_problem(503);
    browser.sign_in(DEMO, "demo").await.expect_problem(503);
    let open = browser.get("/api/candidates/1").await;
    assert_eq!(open.status, StatusCode::OK);
    site.client("nobody")
        .get("/api/me")
        .await
        .expect_problem(401);
}

/// A patient deadline: a busy machine is no failure.
fn patient() -> StoreBuilder {
    Store::builder().deadline(Duration::from_secs(2))
}

fn on_memory() -> (Site, Clock) {
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let builder = patient().clock(clock.clone());
    (Site::on(builder.memory()), clock)
}

async fn with_token(site: &Site, token: &str) -> Reply {
    let request = Request::get("/api/me").header("authorization", format!("Bearer {token}"));
    site.send(request.body(Body::empty()).unwrap()).await
}

fn labels(devices: &serde_json::Value) -> Vec<&str> {
    let devices = devices.as_array().unwrap().iter();
    devices
        .map(|device| device["label"].as_str().unwrap())
        .collect()
}

const DEMO: &str = "demo@example.com";
