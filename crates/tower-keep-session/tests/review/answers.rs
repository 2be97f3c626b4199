//! What answers say, and what they cost.

use http::{HeaderName, HeaderValue, StatusCode, header};
use tower_keep_session::{Session, SessionCookie, SessionError, Transport};

use crate::common::{Browser, Side, Wire, fields, on_both_stores};

/// lib.rs: "logs a user out everywhere | 1 script".
#[tokio::test(flavor = "multi_thread")]
async fn a_sessions_own_logout_everywhere_is_one_script() {
    let side = Side::redis();
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    browser.user().await;
    let server = side.server().expect("the side with a server");
    server.reset_stats();
    let out = async |session: Session| session.logout_everywhere().await.expect("logs out");
    browser.does(out).await;
    let stats = server.command_stats();
    // FAILS: a second script (HGETALL, in vain), then GET, HGETALL and PTTL again: three round trips after the read.
    assert_eq!(stats["hgetall"], 1, "{stats:?}");
}

on_both_stores!();
