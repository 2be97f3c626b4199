//! Sessions that are to end, and what is still under way with them.

use std::time::Duration;

use tokio::time::timeout;
use tower_keep_session::{Session, SessionError, SessionLayer};
use tower_keep_store::Store;

use crate::common::{Browser, Side, on_both_stores};

/// The handler is told that the logout failed and does what anybody would: tries again.
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_that_failed_is_no_success_the_second_time() {
    let side = Side::redis();
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    let mut before = browser.clone();
    let second = browser
        .does(async |session: Session| {
            side.command(&["ACL", "SETUSER", "default", "-evalsha"]);
            let first = session.logout().await;
            assert!(matches!(first, Err(SessionError::Store(_))), "{first:?}");
            side.command(&["ACL", "SETUSER", "default", "+@all"]);
            session.logout().await
        })
        .await;
    let user = before.user().await;
    assert!(second.is_err() || user.is_none(), "{second:?} {user:?}");
}

/// What is given up in the middle does not pass for stored.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_noted_is_not_forgotten_by_a_step_that_is_given_up() {
    let mut side = Side::redis();
    let mut browser = Browser::new(&side.layer());
    browser.set("a", 1).await;
    let url = side.server().expect("the side with a server").url();
    let store = Store::builder().deadline(Duration::from_secs(2));
    let layer = SessionLayer::new(store.connect(&url).expect("a good URL"));
    let mut browser = browser.at(&layer);
    let (_, answer) = browser
        .visit(async |session: Session| {
            session.set("a", &2).expect("is noted");
            side.server_mut().pause();
            let short = Duration::from_millis(50);
            let _given_up = timeout(short, session.increment("n", 1)).await;
            side.server_mut().kill();
        })
        .await;
    side.server_mut().restart();
    assert_eq!(answer.status(), 503);
}

/// Whoever is thrown out while a request (a WebSocket, say) is under way has no more say.
async fn a_session_that_was_revoked_cannot_end_those_of_its_user(side: Side) {
    let layer = side.layer();
    let (mut thief, mut victim) = (Browser::new(&layer), Browser::new(&layer));
    thief.login("ada").await;
    victim.login("ada").await;
    let mut same = victim.clone();
    thief
        .does(async |session: Session| {
            let out = async |session: Session| session.revoke_others().await.expect("revokes");
            same.does(out).await;
            let _refused_or_not = session.logout_everywhere().await;
        })
        .await;
    assert_eq!(victim.user().await.as_deref(), Some("ada"));
}

/// `login` is also how a session that is there gets another level; nothing else can.
async fn a_session_that_was_revoked_is_not_brought_back_by_another_level(side: Side) {
    let layer = side.layer();
    let (mut thief, mut victim) = (Browser::new(&layer), Browser::new(&layer));
    thief.login("ada").await;
    victim.login("ada").await;
    thief
        .does(async |session: Session| {
            let user = session.user().expect("is logged in");
            let out = async |session: Session| session.revoke_others().await.expect("revokes");
            victim.does(out).await;
            let _refused_or_not = session.login(user, 2).await;
        })
        .await;
    assert_eq!(thief.user().await, None);
}

async fn a_session_that_was_revoked_sees_no_list_of_devices(side: Side) {
    let layer = side.layer();
    let (mut thief, mut victim) = (Browser::new(&layer), Browser::new(&layer));
    thief.login("ada").await;
    victim.login("ada").await;
    let seen = thief
        .does(async |session: Session| {
            let out = async |session: Session| session.revoke_others().await.expect("revokes");
            victim.does(out).await;
            let seen = session.list().await;
            if let Ok(devices) = &seen {
                for device in devices {
                    session.revoke(device).await.expect("revokes");
                }
            }
            seen
        })
        .await;
    assert!(seen.is_err(), "{seen:?}");
    assert_eq!(victim.user().await.as_deref(), Some("ada"));
}

/// A page with a list of devices is open for a minute; meanwhile one of them is given a new ticket.
async fn a_device_is_revoked_whatever_its_ticket_is_by_now(side: Side) {
    let layer = side.layer();
    let (mut thief, mut victim) = (Browser::new(&layer), Browser::new(&layer));
    thief.login("ada").await;
    victim.login("ada").await;
    let devices = victim
        .does(async |session: Session| session.list().await.expect("a list"))
        .await;
    let listed = devices.iter().find(|device| !device.is_this());
    let listed = listed.expect("the other device");
    thief
        .does(async |session: Session| session.rotate().await.expect("rotates"))
        .await;
    side.advance(Duration::from_secs(11));
    victim
        .does(async |session: Session| session.revoke(listed).await.expect("revokes"))
        .await;
    assert_eq!(thief.user().await, None);
}

async fn the_name_of_a_device_outlives_a_rotation(side: Side) {
    let layer = side.layer();
    let mut browser = Browser::new(&layer);
    browser.login("ada").await;
    let sessions = layer.sessions();
    let id = async || sessions.list("ada").await.expect("a list")[0].id();
    let before = id().await;
    browser
        .does(async |session: Session| session.rotate().await.expect("rotates"))
        .await;
    assert_eq!(id().await, before);
}

async fn others_are_revoked_although_this_session_is_rotated_meanwhile(side: Side) {
    let layer = side.layer();
    let (mut thief, mut victim) = (Browser::new(&layer), Browser::new(&layer));
    thief.login("ada").await;
    victim.login("ada").await;
    let mut same = victim.clone();
    let revoked = victim
        .does(async |session: Session| {
            same.does(async |session| session.rotate().await.expect("rotates"))
                .await;
            session.revoke_others().await
        })
        .await;
    assert!(revoked.is_ok(), "{revoked:?}");
    assert_eq!(thief.user().await, None);
}

on_both_stores!(
    a_session_that_was_revoked_cannot_end_those_of_its_user,
    a_session_that_was_revoked_is_not_brought_back_by_another_level,
    a_session_that_was_revoked_sees_no_list_of_devices,
    a_device_is_revoked_whatever_its_ticket_is_by_now,
    the_name_of_a_device_outlives_a_rotation,
    others_are_revoked_although_this_session_is_rotated_meanwhile,
);
