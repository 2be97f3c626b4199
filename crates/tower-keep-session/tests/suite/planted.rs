//! Tickets that somebody made up, or gave to another.

use tower_keep_session::Session;

use crate::common::{Browser, Side, fields, on_both_stores};

/// Tickets that look right.
fn made_up() -> [String; 3] {
    let secret = "A".repeat(43);
    [
        format!("__Host-id={secret}"),
        format!("__Host-id={secret}.{}", "A".repeat(22)),
        format!("__Host-id={}", "B".repeat(42) + "A"),
    ]
}

async fn a_made_up_ticket_creates_nothing_and_gets_no_cookie(side: Side) {
    let layer = side.layer();
    for cookie in made_up() {
        let mut browser = Browser::new(&layer);
        browser.cookie = Some(cookie);
        let (user, answer) = browser.visit(async |session| session.user()).await;
        assert_eq!(user, None);
        assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
    }
    assert_eq!(side.keys(), [""; 0]);
}

async fn a_made_up_ticket_is_never_adopted(side: Side) {
    let layer = side.layer();
    for planted in made_up() {
        let mut victim = Browser::new(&layer);
        victim.cookie = Some(planted.clone());
        let mut attacker = victim.clone();
        victim.set("cart", 1).await;
        assert_ne!(victim.cookie.as_ref(), Some(&planted));
        assert_eq!(attacker.get("cart").await, None);
        victim.login("ada").await;
        assert_eq!(attacker.user().await, None);
        assert_eq!(attacker.get("cart").await, None);
    }
}

/// The attacker's own session, planted in the victim's browser before the login.
async fn a_planted_session_reads_nothing_after_the_login(side: Side) {
    let layer = side.layer();
    let mut attacker = Browser::new(&layer);
    attacker.set("cart", 1).await;
    let mut victim = attacker.clone();
    victim.login("ada").await;
    victim.set("card number", 4242).await;
    let read = async |session: Session| (session.user(), session.names());
    assert_eq!(attacker.does(read).await, (None, Vec::new()));
    let (_, answer) = attacker
        .visit(async |session: Session| session.set("x", &1))
        .await;
    assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
    assert_eq!(victim.get("x").await, None);
    assert_eq!(
        victim.get("cart").await,
        Some(1),
        "the victim keeps its values"
    );
}

/// A secret beside the digest of another user leads nowhere.
async fn a_ticket_with_another_users_digest_finds_nothing(side: Side) {
    let layer = side.layer();
    let mut victim = Browser::new(&layer);
    victim.login("ada").await;
    let mut attacker = Browser::new(&layer);
    attacker.login("mallory").await;
    let cookies = [&victim, &attacker].map(|browser| browser.cookie.clone().expect("a cookie"));
    let [(_, ada), (mallory, _)] = cookies
        .each_ref()
        .map(|cookie| cookie.split_once('.').expect("two parts"));
    attacker.cookie = Some(format!("{mallory}.{ada}"));
    assert_eq!(attacker.user().await, None);
    attacker.cookie = Some(mallory.to_owned());
    assert_eq!(attacker.user().await, None);
}

async fn what_one_user_left_in_a_session_is_not_for_the_next(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.set("cart", 1).await;
    browser.login("ada").await;
    assert_eq!(browser.get("cart").await, Some(1));
    browser.set("card number", 4242).await;
    browser.login("ada").await;
    assert_eq!(browser.get("card number").await, Some(4242));
    browser.login("grace").await;
    assert_eq!(browser.user().await.as_deref(), Some("grace"));
    assert_eq!(browser.get("card number").await, None);
}

on_both_stores!(
    a_made_up_ticket_creates_nothing_and_gets_no_cookie,
    a_made_up_ticket_is_never_adopted,
    a_planted_session_reads_nothing_after_the_login,
    a_ticket_with_another_users_digest_finds_nothing,
    what_one_user_left_in_a_session_is_not_for_the_next,
);
