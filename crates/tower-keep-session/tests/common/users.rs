//! A user with some devices.

use std::time::Duration;

use http::{HeaderValue, header};
use tower_keep_session::{Device, Session};

use super::{Browser, Side};

/// As many browsers of a user, one after the other.
pub(crate) async fn devices(side: &Side, user: &str, many: usize) -> Vec<Browser> {
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

/// The sessions of the user of this one.
pub(crate) async fn list(session: Session) -> Vec<Device> {
    session.list().await.expect("a list")
}

/// In which of these somebody is logged in.
pub(crate) async fn users(browsers: &mut [Browser]) -> Vec<bool> {
    let mut users = Vec::new();
    for browser in browsers {
        users.push(browser.user().await.is_some());
    }
    users
}

/// What they are called.
pub(crate) fn labels(devices: &[Device]) -> Vec<&str> {
    devices.iter().map(Device::label).collect()
}
