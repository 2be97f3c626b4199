//! Sessions of one type.

use serde::{Deserialize, Serialize};
use tower_keep_session::Session;

use crate::common::{Answer, Browser, Side, on_both_stores};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Cart {
    items: Vec<u32>,
    coupon: Option<String>,
    visits: u64,
}

async fn typed<R>(browser: &mut Browser, job: impl AsyncFnOnce(Session<Cart>) -> R) -> (R, Answer) {
    browser
        .handled(async |handle| {
            let session = handle.load_as::<Cart>().await.expect("the store answers");
            (job(session).await, Default::default())
        })
        .await
}

async fn what_is_modified_comes_back(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let modify = async |session: Session<Cart>| {
        let sum = session.modify(|cart| {
            cart.items.push(7);
            cart.visits += 1;
            cart.visits
        });
        (sum.expect("is modified"), session.data())
    };
    let ((sum, seen), _) = typed(&mut browser, modify).await;
    let expected = Cart {
        items: vec![7],
        coupon: None,
        visits: 1,
    };
    assert_eq!((sum, &seen), (1, &expected));
    let data = async |session: Session<Cart>| session.data();
    assert_eq!(typed(&mut browser, data).await.0, expected);
}

async fn fields_that_are_not_modified_are_others_to_change(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let start = async |session: Session<Cart>| session.modify(|cart| cart.visits = 1);
    typed(&mut browser, start).await.0.expect("is modified");
    let mut other = browser.at(&side.layer());
    let items = async |session: Session<Cart>| {
        let coupon = async |session: Session<Cart>| {
            session.modify(|cart| cart.coupon = Some("c".to_owned()))
        };
        typed(&mut other, coupon).await.0.expect("is modified");
        session
            .modify(|cart| cart.items.push(1))
            .expect("is modified");
    };
    typed(&mut browser, items).await;
    let data = async |session: Session<Cart>| session.data();
    let expected = Cart {
        items: vec![1],
        coupon: Some("c".to_owned()),
        visits: 1,
    };
    assert_eq!(typed(&mut browser, data).await.0, expected);
}

async fn looking_and_changing_nothing_writes_nothing(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let nothing = async |session: Session<Cart>| {
        session
            .modify(|cart| cart.visits = 0)
            .expect("is as it was");
        session
            .modify(|cart| cart.items.clear())
            .expect("is as it was");
    };
    let (_, answer) = typed(&mut browser, nothing).await;
    assert!(!answer.headers().contains_key("set-cookie"));
    assert_eq!(side.keys(), [""; 0]);
}

on_both_stores!(
    what_is_modified_comes_back,
    fields_that_are_not_modified_are_others_to_change,
    looking_and_changing_nothing_writes_nothing,
);
