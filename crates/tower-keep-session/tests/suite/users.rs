//! A user's sessions: listed, ended one by one or all at once, and not too many.

use std::time::Duration;

use http::{HeaderValue, header};
use tower_keep_session::{Device, Session, SessionError};

use crate::common::{Browser, Side, on_both_stores};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn devices(side: &Side, user: &str, many: usize) -> Vec<Browser> {
    let layer = side.layer();
    let mut browsers = Vec::new();
    for i in 0..many {
        let mut browser = Browser::new(&layer);
        let agent = HeaderValue::from_str(&format!("device {i}")).expect("text");
        browser.headers.insert(header::USER_AGENT, agent);
        browser.login(user).await;
        side.advance(Duration::from_millis(10));
        browsers.push(browser);
    }
    browsers
}

async fn list(session: Session) -> Vec<Device> {
    session.list().await.expect("a list")
}

fn labels(devices: &[Device]) -> Vec<&str> {
    devices.iter().map(Device::label).collect()
}

async fn users(browsers: &mut [Browser]) -> Vec<bool> {
    let mut users = Vec::new();
    for browser in browsers {
        users.push(browser.user().await.is_some());
    }
    users
}

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

async fn all_others_end_and_this_one_stays(side: Side) {
    let mut browsers = devices(&side, "ada", 4).await;
    let mut other = devices(&side, "grace", 1).await;
    browsers[1]
        .does(async |session| session.revoke_others().await.expect("revokes"))
        .await;
    assert_eq!(users(&mut browsers).await, [false, true, false, false]);
    assert_eq!(users(&mut other).await, [true]);
    assert_eq!(labels(&browsers[1].does(list).await), ["device 1"]);
    browsers[1].set("goes on", 1).await;
    assert_eq!(browsers[1].get("goes on").await, Some(1));
}

async fn a_logout_everywhere_is_one(side: Side) {
    let mut browsers = devices(&side, "ada", 3).await;
    let everywhere = async |session: Session| session.logout_everywhere().await.expect("ends");
    browsers[1].does(everywhere).await;
    assert_eq!(browsers[1].cookie, None);
    assert_eq!(users(&mut browsers).await, [false; 3]);
    browsers[0].login("ada").await;
    assert_eq!(users(&mut browsers).await, [true, false, false]);
    assert_eq!(browsers[0].does(list).await.len(), 1);
}

async fn a_logout_everywhere_needs_no_index(side: Side) {
    let mut browsers = devices(&side, "ada", 3).await;
    for key in side.keys() {
        if key.starts_with("keep:su:") {
            side.command(&["DEL", &key]);
        }
    }
    side.layer()
        .sessions()
        .revoke_all("ada")
        .await
        .expect("revokes");
    assert_eq!(users(&mut browsers).await, [false; 3]);
}

/// The second time, the memory of the first is gone; what began in between ends all the same.
async fn logouts_everywhere_a_month_apart_both_hold(side: Side) {
    let mut browsers = devices(&side, "ada", 1).await;
    let sessions = side.layer().sessions();
    sessions.revoke_all("ada").await.expect("revokes");
    side.advance(29 * DAY);
    browsers.extend(devices(&side, "ada", 1).await);
    for i in 0..4 {
        side.advance(DAY / 2);
        browsers[1].set("i", i).await;
        assert_eq!(users(&mut browsers).await, [false, true]);
    }
    sessions.revoke_all("ada").await.expect("revokes");
    assert_eq!(users(&mut browsers).await, [false, false]);
}

async fn one_session_too_many_ends_the_oldest(side: Side) {
    let layer = side.builder().sessions_per_user(2).build();
    let layer = layer.expect("makes sense");
    let mut browsers = Vec::new();
    for _ in 0..3 {
        let mut browser = Browser::new(&layer);
        browser.login("ada").await;
        side.advance(Duration::from_millis(10));
        browsers.push(browser);
    }
    assert_eq!(users(&mut browsers).await, [false, true, true]);
    // One that logs in again takes no place but its own.
    browsers[1].login("ada").await;
    browsers[2]
        .does(async |session| session.rotate().await.expect("rotates"))
        .await;
    assert_eq!(users(&mut browsers).await, [false, true, true]);
}

async fn one_session_too_many_is_refused_where_that_is_the_policy(side: Side) {
    let builder = side
        .builder()
        .sessions_per_user(1)
        .refuse_further_sessions();
    let layer = builder.build().expect("makes sense");
    let mut first = Browser::new(&layer);
    first.login("ada").await;
    let mut second = Browser::new(&layer);
    let refused = async |session: Session| {
        session.set("cart", &1).expect("is noted");
        session.login("ada", 1).await
    };
    let result = second.does(refused).await;
    assert!(
        matches!(result, Err(SessionError::TooManySessions)),
        "{result:?}"
    );
    assert_eq!(second.user().await, None);
    assert_eq!(
        second.get("cart").await,
        Some(1),
        "what was noted is not forgotten"
    );
    first
        .does(async |session| session.logout().await.expect("logs out"))
        .await;
    second.login("ada").await;
    side.advance(25 * 3600 * Duration::from_secs(1));
    first.login("ada").await;
    assert_eq!(
        users(&mut [first, second]).await,
        [true, false],
        "what expired takes no place"
    );
}

async fn any_text_is_a_user(side: Side) {
    let names = [
        "a",
        "{a}",
        "a:b",
        "a}:{b",
        "",
        " ",
        "ä☃",
        "\0\r\n",
        "{",
        &"x".repeat(5000),
    ];
    let layer = side.layer();
    let mut browsers = Vec::new();
    for name in names {
        let mut browser = Browser::new(&layer);
        browser.login(name).await;
        browsers.push(browser);
    }
    side.layer()
        .sessions()
        .revoke_all("{a}")
        .await
        .expect("revokes");
    for (name, browser) in names.into_iter().zip(&mut browsers) {
        let expected = (name != "{a}").then_some(name);
        assert_eq!(browser.user().await.as_deref(), expected, "{name:?}");
    }
    for key in side.keys() {
        let tags = key.matches(['{', '}']).count();
        assert!(tags == 2 && key.len() < 80, "{key}");
    }
}

async fn a_label_is_what_the_layer_was_told_and_not_too_long(side: Side) {
    let builder = side
        .builder()
        .device_label(|head| format!("{}…{}", head.method, "é".repeat(900)));
    let mut browser = Browser::new(&builder.build().expect("makes sense"));
    browser.login("ada").await;
    let listed = browser.does(list).await;
    assert!(listed[0].label().starts_with("GET…é"));
    assert_eq!(listed[0].label().chars().count(), 200);
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

on_both_stores!(
    a_user_sees_all_devices_the_oldest_first,
    one_device_is_revoked_and_no_other,
    revoking_this_device_is_a_logout,
    a_device_of_somebody_else_cannot_be_revoked,
    all_others_end_and_this_one_stays,
    a_logout_everywhere_is_one,
    a_logout_everywhere_needs_no_index,
    logouts_everywhere_a_month_apart_both_hold,
    one_session_too_many_ends_the_oldest,
    one_session_too_many_is_refused_where_that_is_the_policy,
    any_text_is_a_user,
    a_label_is_what_the_layer_was_told_and_not_too_long,
    who_is_not_logged_in_has_no_list,
);
