//! All values go, and the login stays.

use serde::{Deserialize, Serialize};
use tower_keep_session::{Session, SessionHandle};

use crate::common::{Browser, Side, Wire, fields, on_both_stores};

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Cart {
    items: u32,
}

async fn logged_in(side: &Side) -> Browser {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    browser.set("a", 1).await;
    browser.set("b", 2).await;
    browser
}

async fn values_go_and_the_login_stays(side: Side) {
    let mut browser = logged_in(&side).await;
    let created = async |session: Session| session.created();
    let before = (browser.does(created).await, browser.cookie.clone());
    let (_, answer) = browser
        .visit(async |session: Session| {
            session.set("c", &3).expect("is noted");
            session.clear().expect("is noted");
            assert_eq!(session.names(), [""; 0]);
            session.set("d", &4).expect("is noted");
        })
        .await;
    assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
    let names = browser.does(async |session| session.names()).await;
    assert_eq!(names, ["d"]);
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
    assert_eq!(browser.does(created).await, before.0);
    assert_eq!(browser.cookie, before.1);
}

async fn what_others_add_meanwhile_stays(side: Side) {
    let mut browser = logged_in(&side).await;
    let mut other = browser.at(&side.layer());
    browser
        .does(async |session: Session| {
            other.set("late", 1).await;
            other.set("a", 2).await;
            session.clear().expect("is noted");
        })
        .await;
    let names = browser.does(async |session| session.names()).await;
    assert_eq!(names, ["late"]);
}

async fn a_session_of_a_type_loses_what_the_type_does_not_know_too(side: Side) {
    let mut browser = logged_in(&side).await;
    let clear = async |handle: SessionHandle| {
        let session = handle.load_as::<Cart>().await.expect("the store answers");
        session.modify(|cart| cart.items = 3).expect("is noted");
        session.clear().expect("is noted");
        (session.data().items, Wire::default())
    };
    assert_eq!(browser.handled(clear).await.0, 0);
    let names = browser.does(async |session| session.names()).await;
    assert_eq!(names, [""; 0]);
}

async fn where_there_is_nothing_nothing_begins(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let (_, answer) = browser
        .visit(async |session: Session| {
            session.set("a", &1).expect("is noted");
            session.clear().expect("is noted");
        })
        .await;
    assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
    assert_eq!(side.sessions(), [""; 0]);
}

on_both_stores!(
    values_go_and_the_login_stays,
    what_others_add_meanwhile_stays,
    a_session_of_a_type_loses_what_the_type_does_not_know_too,
    where_there_is_nothing_nothing_begins,
);
