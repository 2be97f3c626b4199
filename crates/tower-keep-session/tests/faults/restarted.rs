//! Redis is killed and comes back, with what it had, empty, or as the replica of an empty one: the application goes
//! on as it is.

use std::time::Duration;

use http::StatusCode;
use tokio::task::spawn_blocking;
use tower_keep_session::{Session, SessionError, SessionLayer};
use tower_keep_store::Store;
use tower_keep_test_support::{RedisServer, Reply, eventually};

use crate::common::{Browser, LONG, Wire, fields};

/// A second, and what a busy machine may add.
const RECOVERY: Duration = Duration::from_millis(2500);

const USERS: [&str; 3] = ["ada", "grace", "edsger"];

/// What a visitor sees: who the site believes they are, and their own value; or with what it refuses them.
type Seen = Result<Option<(String, Option<i64>)>, StatusCode>;

/// Who is turned down does not wait for this.
fn layer(server: &RedisServer) -> SessionLayer {
    let store = Store::builder().deadline(Duration::from_secs(2));
    SessionLayer::new(store.connect(&server.url()).expect("a good URL"))
}

fn lasting() -> RedisServer {
    let args = ["--appendonly", "yes", "--appendfsync", "always"];
    RedisServer::builder().args(args).start()
}

/// Each user on a device, with a value that no other has.
async fn visitors(layer: &SessionLayer) -> Vec<Browser> {
    let mut browsers = Vec::new();
    for (i, user) in USERS.into_iter().enumerate() {
        let mut browser = Browser::new(layer);
        browser.login(user).await;
        browser.set("own", i as i64).await;
        browsers.push(browser);
    }
    browsers
}

async fn looks(browser: &mut Browser) -> Seen {
    let look = browser.handled(async |handle| match handle.load().await {
        Ok(session) => {
            let own = session.get("own").expect("a number");
            (Ok(session.user().map(|user| (user, own))), Wire::default())
        }
        Err(error) => {
            assert!(matches!(error, SessionError::Store(_)), "{error:?}");
            let mut response = Wire::default();
            *response.status_mut() = error.status();
            (Err(error.status()), response)
        }
    });
    let (seen, answer) = look.await;
    assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
    seen
}

fn whole(i: usize) -> Seen {
    Ok(Some((USERS[i].to_owned(), Some(i as i64))))
}

/// The server is killed and started again while visitors go on; all that they saw meanwhile.
async fn while_it_starts_again(
    mut server: RedisServer,
    visitors: &[Browser],
) -> (RedisServer, Vec<Vec<Seen>>) {
    let mut seen = vec![Vec::new(); visitors.len()];
    let mut restart = spawn_blocking(move || {
        server.kill();
        server.restart();
        server
    });
    loop {
        let visit = async {
            for (browser, seen) in visitors.iter().zip(&mut seen) {
                seen.push(looks(&mut browser.clone()).await);
            }
        };
        tokio::select! {
            server = &mut restart => return (server.expect("starts again"), seen),
            () = visit => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_kept_all_brings_every_session_back_and_nobody_was_taken_for_signed_out() {
    let mut server = lasting();
    let layer = layer(&server);
    let browsers = visitors(&layer).await;
    let sessions = layer.sessions();
    let mut out = Browser::new(&layer);
    out.login("alan").await;
    sessions.revoke_all("alan").await.expect("revokes");
    sessions.revoke_token("t", None).await.expect("revokes");
    for _ in 0..3 {
        let (again, seen) = while_it_starts_again(server, &browsers).await;
        server = again;
        for (i, seen) in seen.into_iter().enumerate() {
            let is_right = |seen: &Seen| seen.is_err() || *seen == whole(i);
            assert!(seen.iter().all(is_right), "{seen:?}");
        }
        for (i, browser) in browsers.iter().enumerate() {
            eventually(RECOVERY, async || {
                looks(&mut browser.clone()).await == whole(i)
            })
            .await;
        }
        assert_eq!(looks(&mut out.clone()).await, Ok(None), "a logout holds");
        let is_revoked = sessions.is_token_revoked("t").await;
        assert!(is_revoked.expect("the store answers"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_comes_back_empty_has_absences_only() {
    let server = RedisServer::start();
    let layer = layer(&server);
    let browsers = visitors(&layer).await;
    let (server, seen) = while_it_starts_again(server, &browsers).await;
    for (i, seen) in seen.into_iter().enumerate() {
        let is_right = |seen: &Seen| seen.is_err() || *seen == whole(i) || *seen == Ok(None);
        assert!(seen.iter().all(is_right), "{seen:?}");
    }
    let mut old = browsers[0].clone();
    eventually(RECOVERY, async || looks(&mut old.clone()).await == Ok(None)).await;
    assert_eq!(
        server.command(&["KEYS", "keep:s:*"]),
        Reply::Array(Some(vec![]))
    );
    let before = old.cookie.clone();
    old.login("ada").await;
    old.set("own", 0).await;
    assert_eq!(looks(&mut old).await, whole(0));
    assert_ne!(old.cookie, before, "a ticket of before is not adopted");
    for browser in &browsers {
        assert_eq!(looks(&mut browser.clone()).await, Ok(None));
    }
}

/// The scripts are not there any more either: what comes first after the restart is a write.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_comes_back_takes_writes_at_once() {
    let mut server = lasting();
    let layer = layer(&server);
    let browsers = visitors(&layer).await;
    server.restart();
    for browser in &browsers {
        let writes = async || {
            let mut browser = browser.clone();
            let write = browser.handled(async |handle| {
                let Ok(session) = handle.load().await else {
                    return (false, Wire::default());
                };
                session.set("own", &7).expect("is noted");
                let is_done = session.increment("count", 1).await.is_ok();
                (is_done, Wire::default())
            });
            let (is_done, answer) = write.await;
            is_done && answer.status() == StatusCode::OK
        };
        eventually(RECOVERY, writes).await;
    }
}

/// The one that the application talks to becomes the replica of an empty one, and then a primary again.
#[tokio::test(flavor = "multi_thread")]
async fn a_fail_over_to_an_empty_one_has_absences_only() {
    let (server, empty) = (RedisServer::start(), RedisServer::start());
    let layer = layer(&server);
    let browsers = visitors(&layer).await;
    let port = empty.port().to_string();
    server.command(&["REPLICAOF", "127.0.0.1", &port]);
    let is_empty = async || {
        for (i, browser) in browsers.iter().enumerate() {
            let seen = looks(&mut browser.clone()).await;
            let is_right = seen.is_err() || seen == whole(i) || seen == Ok(None);
            assert!(is_right, "{seen:?}");
        }
        let role = server.command(&["INFO", "replication"]);
        let is_up = role.text().expect("text").contains("master_link_status:up");
        is_up && server.command(&["DBSIZE"]) == Reply::Integer(0)
    };
    eventually(LONG, is_empty).await;
    // It takes no writes now: nobody is told that they are logged in, or that their cart was kept.
    let mut newcomer = Browser::new(&layer);
    let login = async |session: Session| session.login("alan", 1).await;
    let (result, _) = newcomer.visit(login).await;
    assert!(matches!(result, Err(SessionError::Store(_))), "{result:?}");
    assert_eq!(newcomer.cookie, None);
    let set = async |session: Session| session.set("a", &1).expect("is noted");
    let ((), answer) = newcomer.visit(set).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    server.command(&["REPLICAOF", "NO", "ONE"]);
    let logs_in = async || {
        let mut newcomer = newcomer.clone();
        let is_in = newcomer.does(login).await.is_ok();
        is_in && looks(&mut newcomer).await == Ok(Some(("alan".to_owned(), None)))
    };
    eventually(RECOVERY, logs_in).await;
    for browser in &browsers {
        assert_eq!(looks(&mut browser.clone()).await, Ok(None));
    }
}

/// 503 is the default; a route may choose to go on with nobody.
#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_down_each_route_answers_by_its_policy() {
    let mut server = lasting();
    let strict = layer(&server);
    let lenient = strict.allow_anonymous_on_failure();
    let browser = visitors(&strict).await.remove(0);
    for _ in 0..2 {
        server.kill();
        for _ in 0..4 {
            let (mut strict, mut lenient) = (browser.at(&strict), browser.at(&lenient));
            assert_eq!(
                looks(&mut strict).await,
                Err(StatusCode::SERVICE_UNAVAILABLE)
            );
            assert_eq!(looks(&mut lenient).await, Ok(None));
            assert_eq!(
                (strict.cookie, lenient.cookie),
                (browser.cookie.clone(), browser.cookie.clone())
            );
        }
        server.restart();
        for layer in [&strict, &lenient] {
            let browser = browser.at(layer);
            eventually(RECOVERY, async || {
                looks(&mut browser.clone()).await == whole(0)
            })
            .await;
        }
    }
}
