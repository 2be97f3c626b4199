//! The server answers, and refuses.

use http::StatusCode;
use tower_keep_session::{Session, SessionError};

use crate::{
    common::{Browser, Side},
    outage::{asks, hasty},
};

/// The server answers, and says no: whatever it refuses, that is not "no session".
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_a_command_is_a_503() {
    for refused in ["-mget", "-@read"] {
        let side = Side::redis();
        let (_, mut browser) = hasty(&side).await;
        side.command(&["ACL", "SETUSER", "default", refused]);
        let (seen, answer) = asks(&mut browser).await;
        assert_eq!(seen, None, "{refused}");
        assert_eq!(
            answer.status(),
            StatusCode::SERVICE_UNAVAILABLE,
            "{refused}"
        );
        side.command(&["ACL", "SETUSER", "default", "+@all"]);
        assert_eq!(asks(&mut browser).await.0, Some(Some("ada".to_owned())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_refused_is_a_503_and_no_lost_session() {
    let side = Side::redis();
    let (_, mut browser) = hasty(&side).await;
    for refused in ["-get", "-set", "-evalsha"] {
        side.command(&["ACL", "SETUSER", "default", refused]);
        let set = async |session: Session| session.set("b", &1).expect("is noted");
        let (_, answer) = browser.visit(set).await;
        assert_eq!(
            answer.status(),
            StatusCode::SERVICE_UNAVAILABLE,
            "{refused}"
        );
        side.command(&["ACL", "SETUSER", "default", "+@all"]);
    }
    assert_eq!(browser.get("a").await, Some(1));
    assert_eq!(browser.get("b").await, None);
}

/// An administrator who is told of no session would believe it.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_refused_is_not_an_empty_one() {
    let side = Side::redis();
    let (_, mut browser) = hasty(&side).await;
    let sessions = side.layer().sessions();
    for refused in ["-getrange", "-hgetall", "-get"] {
        side.command(&["ACL", "SETUSER", "default", refused]);
        let listed = sessions.list("ada").await;
        assert!(listed.is_err(), "{refused}: {listed:?}");
        side.command(&["ACL", "SETUSER", "default", "+@all"]);
    }
    assert_eq!(sessions.list("ada").await.expect("a list").len(), 1);
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
    let key = side.session();
    side.command(&["DEL", &key]);
    side.command(&["LPUSH", &key, "garbage"]);
    side.command(&["PEXPIRE", &key, "100000"]);
    assert_eq!(sessions.list("ada").await.expect("a list"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_scripts_is_told_them_again() {
    let side = Side::redis();
    let (_, mut browser) = hasty(&side).await;
    side.command(&["SCRIPT", "FLUSH"]);
    browser.set("a", 2).await;
    assert_eq!(browser.get("a").await, Some(2));
}

/// A script does all or nothing, also where the server lets it do only half.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_refused_ends_nothing_and_leaves_no_key_for_ever() {
    let side = Side::redis();
    let mut browser = Browser::new(&side.layer());
    browser.set("cart", 1).await;
    side.command(&["ACL", "SETUSER", "default", "-pexpire"]);
    let login = async |session: Session| session.login("ada", 1).await;
    let refused = browser.does(login).await;
    assert!(
        matches!(refused, Err(SessionError::Store(_))),
        "{refused:?}"
    );
    side.command(&["ACL", "SETUSER", "default", "+@all"]);
    let eternal: Vec<_> = side
        .keys()
        .into_iter()
        .filter(|key| side.lives(key) == -1)
        .collect();
    assert_eq!(eternal, [""; 0]);
    assert_eq!(browser.get("cart").await, Some(1));
}
