//! `rediss://`: an authority that the environment names, and one that nobody trusts.

use std::{fs, path::PathBuf, time::Instant};

use http::StatusCode;
use tower_keep::Store;
use tower_keep_faults::{
    DEADLINE, Hiring, LONG, Process, RECOVERY, SLACK, caching_returns, shares,
};
use tower_keep_test_support::{RedisServer, eventually, holds_within};

use crate::process;

/// The application, which trusts this server's authority.
fn trusting(hiring: &Hiring, server: &RedisServer) -> Process {
    let authority = authority_file(server);
    let variables = [("SSL_CERT_FILE", authority.as_path())];
    Process::start_with("the_application", hiring, &server.url(), &variables)
}

fn authority_file(server: &RedisServer) -> PathBuf {
    let file = server.directory().join("trusted.pem");
    let authority = server.authority().expect("a server with TLS");
    fs::write(&file, authority).expect("the server's directory can be written");
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_a_cache_over_tls() {
    let redis = RedisServer::builder().tls().start();
    assert!(redis.url().starts_with("rediss://"));
    let hiring = Hiring::new();
    let [a, b] = [0; 2].map(|_| trusting(&hiring, &redis));
    let (mut a, mut b) = (a.client().await, b.client().await);
    caching_returns(&mut a, &redis, LONG).await;
    caching_returns(&mut b, &redis, LONG).await;
    shares(&mut a, &mut b, &redis).await;
    let start = Instant::now();
    let status = a.change_status(1, "hired").await.status;
    assert_eq!(status, StatusCode::OK);
    while b.status_of(1).await != "hired" {
        assert!(start.elapsed() < LONG, "the change is never seen");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_tls_that_dies_is_found_again() {
    let mut redis = RedisServer::builder().tls().start();
    let hiring = Hiring::new();
    let application = trusting(&hiring, &redis);
    let mut client = application.client().await;
    caching_returns(&mut client, &redis, LONG).await;
    redis.kill();
    assert_eq!(client.get("/api/candidates/3").await.status, StatusCode::OK);
    tower_keep_faults::restart(&mut redis);
    caching_returns(&mut client, &redis, RECOVERY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_does_not_trust_its_redis_works_without_it() {
    let redis = RedisServer::builder().tls().start();
    let stranger = RedisServer::builder().tls().start();
    let hiring = Hiring::new();
    let trusted = authority_file(&stranger);
    let variables = [("SSL_CERT_FILE", trusted.as_path())];
    let mut application = Process::start_with("the_application", &hiring, &redis.url(), &variables);
    let mut client = application.client().await;
    for _ in 0..5 {
        let answer = client.get("/api/candidates/1").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.queries() > 0);
        assert!(answer.took < 3 * DEADLINE + SLACK, "{:?}", answer.took);
    }
    assert_eq!(redis.command_stats().get("hello"), None);
    let status = tokio::task::block_in_place(|| application.stop());
    assert!(status.success(), "{status}: {}", application.said());
    assert!(!application.said().contains("panicked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untrusted_certificate_is_an_unavailable_store() {
    let redis = RedisServer::builder().tls().start();
    let store = Store::connect(&redis.url()).expect("a good URL");
    for _ in 0..10 {
        let asked = Instant::now();
        let error = store.ping().await.expect_err("nobody vouches for it");
        assert!(error.is_unavailable(), "{error:?}");
        assert!(asked.elapsed() < DEADLINE + SLACK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_unavailable_to_who_wants_it_and_the_other_way_round() {
    let [plain, tls] = [RedisServer::start(), RedisServer::builder().tls().start()];
    let hiring = Hiring::new();
    for url in [
        plain.url().replace("redis:", "rediss:"),
        tls.url().replace("rediss:", "redis:"),
    ] {
        let store = Store::connect(&url).expect("a good URL");
        let error = store
            .ping()
            .await
            .expect_err("they do not understand each other");
        assert!(error.is_unavailable() || error.is_timeout(), "{error:?}");
        let is_refused = async || {
            store
                .ping()
                .await
                .is_err_and(|error| error.is_unavailable())
        };
        eventually(LONG, is_refused).await;
        let application = process(&hiring, &url);
        let answer = application.client().await.get("/api/candidates/1").await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    let is_idle = async || !tls.command_stats().contains_key("get");
    assert!(holds_within(DEADLINE, is_idle).await);
}
