//! What another version of an application, or of this crate, wrote.

use serde::{Deserialize, Serialize};
use tower_keep_session::{Session, SessionError};

use crate::common::{Browser, Side};

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Cart {
    items: Vec<u32>,
    visits: u64,
}

async fn logged_in(side: &Side) -> Browser {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    browser.set("visits", 1).await;
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_version_added_goes_through_writes_and_rotations() {
    let side = Side::redis();
    let mut browser = logged_in(&side).await;
    side.plant(&side.session(), "@new", "kept");
    side.plant(&side.session(), ".new", "\"kept too\"");
    let change = async |session: Session| session.set("visits", &2).expect("is set");
    browser.does(change).await;
    browser
        .does(async |session| session.rotate().await.expect("rotates"))
        .await;
    let key = side.session();
    assert_eq!(side.held(&key, "@new").as_deref(), Some("kept"));
    let new = async |session: Session| session.get::<String>("new").expect("text");
    assert_eq!(browser.does(new).await.as_deref(), Some("kept too"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_versions_side_by_side_lose_nothing() {
    let side = Side::redis();
    let mut browser = logged_in(&side).await;
    side.plant(&side.session(), ".of_the_other_version", "[7]");
    side.plant(&side.session(), ".items", "\"no list\"");
    let (cart, answer) = browser
        .handled(async |handle| {
            let session = handle.load_as::<Cart>().await.expect("the store answers");
            let cart = session.data();
            session.modify(|cart| cart.visits += 1).expect("is changed");
            (cart, Default::default())
        })
        .await;
    assert!(answer.status().is_success());
    let expected = Cart {
        items: Vec::new(),
        visits: 1,
    };
    assert_eq!(
        cart, expected,
        "one field that cannot be read does no harm to the others"
    );
    let key = side.session();
    for (name, value) in [
        (".of_the_other_version", "[7]"),
        (".items", "\"no list\""),
        (".visits", "2"),
    ] {
        assert_eq!(side.held(&key, name).as_deref(), Some(value));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_cannot_be_read_is_an_error_of_its_own() {
    let side = Side::redis();
    let mut browser = logged_in(&side).await;
    side.plant(&side.session(), ".cut", "{\"a\":");
    let read = async |session: Session| {
        let cut = session.get::<String>("cut");
        let taken = session.take::<String>("cut").await;
        let whole = session.get::<i64>("visits").expect("a number");
        (cut, taken, whole)
    };
    let (cut, taken, whole) = browser.does(read).await;
    assert!(matches!(cut, Err(SessionError::Value(_))));
    assert!(matches!(taken, Err(SessionError::Value(_))));
    assert_eq!(whole, Some(1));
    let names = async |session: Session| session.names();
    assert_eq!(browser.does(names).await, ["visits"]);
}
