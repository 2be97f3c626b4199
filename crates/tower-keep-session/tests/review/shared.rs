//! Several layers on one store.

use tower_keep_session::{Session, SessionCookie, Transport};

use crate::common::{Browser, Side, on_both_stores};

/// Customers and administrators are two tables; each begins with number 1.
async fn a_customers_ticket_is_none_of_an_administrators(side: Side) {
    let customers = side.layer();
    let cookie = SessionCookie::named("__Host-admin");
    let admins = side.builder().transport(Transport::Cookie(cookie)).build();
    let mut browser = Browser::new(&customers);
    browser.login("1").await;
    let ticket = browser.cookie.take().expect("a cookie");
    let mut browser = Browser::new(&admins.expect("makes sense"));
    browser.cookie = Some(ticket.replace("__Host-id", "__Host-admin"));
    // FAILS: customer 1 is administrator 1. Nothing in the docs says that layers share what they hold.
    assert_eq!(browser.user().await, None);
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
    // FAILS: lib.rs: "What one user left in a session is gone when another logs in."
    assert_eq!(browser.get("draft of ada").await, None);
}

on_both_stores!(
    a_customers_ticket_is_none_of_an_administrators,
    what_was_noted_for_one_user_is_not_for_the_next,
);
