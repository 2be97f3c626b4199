//! Handlers that are told who asks: what they answer a user is shared where they say so themselves, and nowhere else.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_keep_cache::{CacheDirective, CacheLayer, Class, Classes};
use tower_keep_session::{IdentifyLayer, SessionHandle, SessionLayer};
use tower_keep_store::{Identity, Store};

use crate::{By, Client, Order, Page, Place, Stack, boxed, load, own, page};

const ORDERS: [Order; 2] = [Order::SessionOutside, Order::CacheOutside];

/// How many answers were made.
type Calls = Arc<AtomicUsize>;

/// A page of which the first word says what it is, under a site-wide class and `public`.
async fn answer(request: Request<Page>, calls: Calls) -> Result<Response<Page>, Infallible> {
    calls.fetch_add(1, Ordering::SeqCst);
    let handle = SessionHandle::of(request.extensions()).expect("a session layer");
    let kind = request.uri().path().split('/').nth(1).expect("a word");
    let user = request.extensions().get::<Identity>();
    let user = user.map_or("nobody", Identity::as_str).to_owned();
    let text = match kind {
        "login" => {
            let name = request.uri().path().split('/').nth(2).expect("a name");
            load(&handle).await.login(name, 1).await.expect("logs in");
            String::new()
        }
        "all" => "for all".to_owned(),
        "looks" => own(&load(&handle).await),
        "late" => {
            let late = async move { own(&load(&handle).await) };
            return Ok(for_all(page(late)));
        }
        _ => user,
    };
    let page = page(async { text });
    Ok(match kind {
        "all" | "looks" => for_all(page),
        "lifetime" => says(page, "max-age=60"),
        "shared" => says(page, "s-maxage=60"),
        "site" => says(page, ""),
        _ => page,
    })
}

fn for_all(mut page: Response<Page>) -> Response<Page> {
    let directive = CacheDirective::class("for all");
    page.extensions_mut().insert(directive);
    page
}

fn says(mut page: Response<Page>, line: &'static str) -> Response<Page> {
    let line = http::HeaderValue::from_static(line);
    page.headers_mut().insert("cache-control", line);
    page
}

fn stack(order: Order, store: &Store, calls: &Calls) -> Stack {
    let session = SessionLayer::new(store.clone());
    let minute = Class::fresh_for(Duration::from_secs(60)).allow_cookies();
    let minute = minute.stale_while_revalidate(Duration::from_secs(600));
    let classes = Classes::new().class("site", minute.clone());
    let cache = CacheLayer::builder(store.clone()).name(format!("{order:?}"));
    let cache = cache
        .classes(classes.class("for all", minute))
        .class("site");
    let cache = cache.build().expect("good options");
    let (calls, told) = (calls.clone(), IdentifyLayer::new());
    let app = service_fn(move |request| answer(request, calls.clone()));
    match order {
        Order::SessionOutside => {
            let stack = session.layer(told.layer(cache.layer(app)));
            BoxCloneSyncService::new(stack.map_response(boxed))
        }
        Order::CacheOutside => {
            let stack = cache.layer(session.layer(told.layer(app)));
            BoxCloneSyncService::new(stack.map_response(boxed))
        }
    }
}

/// Ada and Grace, logged in.
async fn users(stack: &Stack) -> [(&'static str, Client); 2] {
    let mut users = ["ada", "grace"].map(|name| (name, Client::new(By::Cookie)));
    for (name, client) in &mut users {
        let login = format!("/login/{name}");
        client.ask(stack, "POST", &login, 0).await;
    }
    users
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_depends_on_who_asks_is_shared_with_nobody() {
    for place in Place::both().await {
        for order in ORDERS {
            let calls = Calls::default();
            let stack = stack(order, &place.processes[0], &calls);
            let mut users = users(&stack).await;
            calls.store(0, Ordering::SeqCst);
            for kind in ["public", "lifetime", "shared", "site", "looks", "late"] {
                for _ in 0..2 {
                    for (name, client) in &mut users {
                        let seen = client.ask(&stack, "GET", &format!("/{kind}"), 0).await;
                        assert_eq!(seen.text, *name, "{order:?} {kind}");
                        assert!(!seen.is_hit);
                    }
                }
            }
            assert_eq!(calls.load(Ordering::SeqCst), 6 * 4);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_handler_says_that_it_is_for_all_is_shared_by_users() {
    for place in Place::both().await {
        let calls = Calls::default();
        let stack = stack(Order::SessionOutside, &place.processes[0], &calls);
        let mut users = users(&stack).await;
        calls.store(0, Ordering::SeqCst);
        for round in 0..2 {
            for (i, (_, client)) in users.iter_mut().enumerate() {
                let seen = client.ask(&stack, "GET", "/all", 0).await;
                assert_eq!(seen.text, "for all");
                assert_eq!(seen.is_hit, round + i > 0);
            }
        }
        let seen = Client::new(By::Cookie).ask(&stack, "GET", "/all", 0).await;
        assert!(seen.is_hit, "and by those who are none");
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}

/// Whoever asks a cache first is not known to it, and its answer says that it varies with cookies.
#[tokio::test(flavor = "multi_thread")]
async fn a_cache_outside_shares_nothing_of_what_users_are_answered() {
    for place in Place::both().await {
        let calls = Calls::default();
        let stack = stack(Order::CacheOutside, &place.processes[0], &calls);
        for (_, client) in &mut users(&stack).await {
            let seen = client.ask(&stack, "GET", "/all", 0).await;
            assert_eq!((seen.text.as_str(), seen.is_hit), ("for all", false));
        }
    }
}

/// A page of nobody's goes stale: what a user's request would bring is not for all, and is not fetched.
#[tokio::test(flavor = "multi_thread")]
async fn a_stale_page_is_refreshed_by_users_where_its_handler_says_that_it_is_for_all() {
    for place in Place::both().await {
        let calls = Calls::default();
        let stack = stack(Order::SessionOutside, &place.processes[0], &calls);
        let [(_, mut ada), _] = users(&stack).await;
        for (path, refreshes) in [("/site", 0), ("/all", 1)] {
            let mut visitor = Client::new(By::Cookie);
            let first = visitor.ask(&stack, "GET", path, 0).await;
            place.clock.advance(Duration::from_secs(61));
            calls.store(0, Ordering::SeqCst);
            let stale = ada.ask(&stack, "GET", path, 0).await;
            assert!(stale.is_hit);
            assert_eq!(stale.text, first.text);
            crate::pass(200).await;
            let is_done = async || calls.load(Ordering::SeqCst) == refreshes;
            tower_keep_test_support::eventually(crate::LONG, is_done).await;
        }
    }
}
