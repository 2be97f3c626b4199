//! A user's sessions: listed, ended one by one or all at once, and not too many.

use tower_keep_session::{Device, Session, SessionError};

use crate::common::{Browser, Side, devices, labels, list, on_both_stores, users};

async fn a_user_sees_all_devices_the_oldest_first(side: Side) {
    let mut browsers = devices(&side, "ada", 3).await;
    devices(&side, "grace", 1).await;
    browsers[0]
        .does(async |session| session.rotate().await.expect("rotates"))
        .await;
    let listed = browsers[1].does(list).await;
    assert_eq!(labels(&listed), ["device 0", "device 1", "device 2"]);
    let this: Vec<_> = listed.iter().map(Device::is_this).collect();
    assert_eq!(this, [false, true, false]);
    assert!(listed[0].created() < listed[1].created());
    let of_admin = side.layer().sessions().list("ada").await.expect("a list");
    assert_eq!(labels(&of_admin), labels(&listed));
    browsers[2]
        .does(async |session| session.logout().await.expect("logs out"))
        .await;
    assert_eq!(
        labels(&browsers[1].does(list).await),
        ["device 0", "device 1"]
    );
}

async fn one_device_is_revoked_and_no_other(side: Side) {
    let mut browsers = devices(&side, "ada", 3).await;
    let revoke = async |session: Session| {
        let devices = list(session.clone()).await;
        session.revoke(&devices[2]).await.expect("revokes");
    };
    browsers[0].does(revoke).await;
    assert_eq!(users(&mut browsers).await, [true, true, false]);
    assert_eq!(browsers[0].does(list).await.len(), 2);
}

async fn revoking_this_device_is_a_logout(side: Side) {
    let mut browsers = devices(&side, "ada", 1).await;
    let revoke = async |session: Session| {
        let devices = list(session.clone()).await;
        session.revoke(&devices[0]).await.expect("revokes");
    };
    browsers[0].does(revoke).await;
    assert_eq!(browsers[0].cookie, None);
}

async fn a_device_of_somebody_else_cannot_be_revoked(side: Side) {
    let mut browsers = devices(&side, "ada", 1).await;
    let others = browsers[0].does(list).await;
    let mut mallory = devices(&side, "mallory", 1).await;
    mallory[0]
        .does(async |session| session.revoke(&others[0]).await.expect("changes nothing"))
        .await;
    assert_eq!(users(&mut browsers).await, [true]);
}

async fn who_is_not_logged_in_has_no_list(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.set("a", 1).await;
    let errors = browser.does(async |session| {
        let list = session.list().await.map(drop);
        [
            list,
            session.revoke_others().await,
            session.logout_everywhere().await,
        ]
    });
    for result in errors.await {
        assert!(matches!(result, Err(SessionError::Anonymous)), "{result:?}");
    }
}

/// What a request noted for one user is not for the next either.
async fn what_was_noted_for_one_user_is_not_for_the_next(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    browser
        .does(async |session: Session| {
            session.set("draft of ada", &1).expect("is noted");
            session.login("grace", 1).await.expect("logs in");
        })
        .await;
    assert_eq!(browser.get("draft of ada").await, None);
}

on_both_stores!(
    a_user_sees_all_devices_the_oldest_first,
    one_device_is_revoked_and_no_other,
    revoking_this_device_is_a_logout,
    a_device_of_somebody_else_cannot_be_revoked,
    who_is_not_logged_in_has_no_list,
    what_was_noted_for_one_user_is_not_for_the_next,
);
