//! Several layers on one store.

use tower_keep_session::{SessionCookie, Transport};

use crate::common::{Browser, Side, on_both_stores, users};

/// Customers and administrators are two tables; each begins with number 1.
async fn a_customers_ticket_is_none_of_an_administrators(side: Side) {
    let customers = side.layer();
    let cookie = SessionCookie::named("__Host-admin");
    let admins = side.builder().realm("admins");
    let admins = admins.transport(Transport::Cookie(cookie)).build();
    let mut browser = Browser::new(&customers);
    browser.login("1").await;
    let ticket = browser.cookie.take().expect("a cookie");
    let mut browser = Browser::new(&admins.expect("makes sense"));
    browser.cookie = Some(ticket.replace("__Host-id", "__Host-admin"));
    assert_eq!(browser.user().await, None);
}

/// Each realm has users of its own, for those who look from outside too.
async fn a_logout_everywhere_in_one_realm_is_none_in_another(side: Side) {
    let layer = |name: &str| side.builder().realm(name).build().expect("makes sense");
    let layers = [layer("customers"), layer("admins"), side.layer()];
    let mut browsers = layers.each_ref().map(Browser::new);
    for browser in &mut browsers {
        browser.login("1").await;
    }
    let same = layer("admins").sessions();
    assert_eq!(same.list("1").await.expect("a list").len(), 1);
    same.revoke_all("1").await.expect("revokes");
    assert_eq!(users(&mut browsers).await, [true, false, true]);
}

/// A cart is none of other realms either.
async fn a_ticket_without_a_user_leads_nowhere_in_another_realm(side: Side) {
    let admins = side.builder().realm("admins").build();
    let mut browser = Browser::new(&side.layer());
    browser.set("n", 1).await;
    let mut elsewhere = browser.at(&admins.expect("makes sense"));
    assert_eq!(elsewhere.get("n").await, None);
    assert_eq!(browser.get("n").await, Some(1));
}

on_both_stores!(
    a_logout_everywhere_in_one_realm_is_none_in_another,
    a_ticket_without_a_user_leads_nowhere_in_another_realm,
    a_customers_ticket_is_none_of_an_administrators,
);
