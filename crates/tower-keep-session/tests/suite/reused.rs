//! A ticket that comes again after it was replaced is a sign of theft, and the application hears of it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tower_keep_session::{ReusedTicket, Session, SessionLayer};
use tower_keep_test_support::eventually;

use crate::common::{Browser, LONG, Side, on_both_stores};

/// What the hook was told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<ReusedTicket>>>);

impl Told {
    fn layer(&self, side: &Side) -> SessionLayer {
        let told = self.clone();
        let hook = move |ticket| told.0.lock().expect("nobody panics").push(ticket);
        let builder = side.builder().on_reused_ticket(hook);
        builder.build().expect("makes sense")
    }

    fn take(&self) -> Vec<ReusedTicket> {
        std::mem::take(&mut self.0.lock().expect("nobody panics"))
    }
}

/// A browser under its second ticket, and a thief with its first, after the grace.
async fn stolen(side: &Side, layer: &SessionLayer) -> (Browser, Browser) {
    let mut browser = Browser::new(layer);
    browser.login("ada").await;
    let thief = browser.clone();
    rotate(side, &mut browser).await;
    (browser, thief)
}

/// Rotates; the client comes with the new ticket, and the old one's grace passes.
async fn rotate(side: &Side, browser: &mut Browser) {
    browser
        .does(async |session| session.rotate().await.expect("rotates"))
        .await;
    browser.user().await;
    if side.server().is_some() {
        let key = side.session();
        let is_settled = async || side.held(&key, "@p").is_none();
        eventually(LONG, is_settled).await;
    }
    side.advance(Duration::from_secs(11));
}

async fn the_application_hears_whose_it_was_and_can_end_it(side: Side) {
    let told = Told::default();
    let layer = told.layer(&side);
    let (mut browser, mut thief) = stolen(&side, &layer).await;
    rotate(&side, &mut browser).await;
    assert_eq!(thief.user().await, None);
    let reused = told.take();
    assert_eq!(reused.len(), 1);
    assert_eq!(reused[0].user(), Some("ada"));
    assert_eq!(format!("{:?}", reused[0]), "ReusedTicket");
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
    reused[0].end_session().await.expect("ends it");
    assert_eq!(browser.user().await, None);
    let stats = layer.stats();
    assert_eq!((stats.reused, stats.ended), (1, 2));
    assert_eq!(told.take().len(), 0, "a session that was ended is no theft");
}

async fn a_session_that_has_ended_is_nobodys(side: Side) {
    let told = Told::default();
    let layer = told.layer(&side);
    let (mut browser, mut thief) = stolen(&side, &layer).await;
    browser
        .does(async |session| session.logout().await.expect("logs out"))
        .await;
    assert_eq!(thief.user().await, None);
    let reused = told.take();
    assert_eq!(reused[0].user(), None);
    reused[0].end_session().await.expect("without effect");
    assert_eq!(
        side.layer().sessions().list("ada").await.expect("a list"),
        []
    );
}

async fn an_innocent_client_is_no_thief(side: Side) {
    let told = Told::default();
    let layer = told.layer(&side);
    let mut browser = Browser::new(&layer);
    browser.login("ada").await;
    let rotate = async |session: Session| session.rotate().await.expect("rotates");
    // Under way when it was rotated.
    let mut early = browser.clone();
    browser.does(rotate).await;
    assert_eq!(early.user().await.as_deref(), Some("ada"));
    // Never told of the new ticket.
    let mut deaf = browser.clone();
    deaf.clone().does(rotate).await;
    side.advance(Duration::from_secs(60));
    assert_eq!(deaf.user().await.as_deref(), Some("ada"));
    // Late, after a logout.
    let mut late = deaf.clone();
    deaf.does(async |session| session.logout().await.expect("logs out"))
        .await;
    assert_eq!(late.user().await, None);
    // Made up.
    let mut made_up = Browser::new(&layer);
    made_up.cookie = Some(format!("__Host-id={}", "A".repeat(43)));
    assert_eq!(made_up.user().await, None);
    assert_eq!(told.take().len(), 0);
    assert_eq!(layer.stats().reused, 0);
}

/// Without a hook it is counted all the same, and costs no more than any look.
async fn without_a_hook_it_is_counted(side: Side) {
    let layer = side.layer();
    let (_, mut thief) = stolen(&side, &layer).await;
    if let Some(server) = side.server() {
        server.reset_stats();
    }
    assert_eq!(thief.user().await, None);
    if let Some(server) = side.server() {
        assert_eq!(server.command_stats()["mget"], 1);
    }
    assert_eq!(layer.stats().reused, 1);
}

on_both_stores!(
    the_application_hears_whose_it_was_and_can_end_it,
    a_session_that_has_ended_is_nobodys,
    an_innocent_client_is_no_thief,
    without_a_hook_it_is_counted,
);
