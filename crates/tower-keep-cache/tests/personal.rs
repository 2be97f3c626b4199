//! What depends on who asks is stored for nobody, and shared with nobody.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, Request, Response};
use tower_keep_cache::{Cache, CacheLayer, Class, Classes};
use tower_keep_store::{Identity, Mode, Outcome, PersonalCell};
use tower_keep_test_support::{Gate, Origin, ScriptedBody, eventually};

use self::common::*;

const MINUTE: &[(&str, &str)] = &[("cache-control", "max-age=60")];
const PUBLIC: &[(&str, &str)] = &[("cache-control", "public, max-age=60")];

type Fields = &'static [(&'static str, &'static str)];

/// By what a handler tells that it looked at who asks.
#[derive(Clone, Copy, Debug)]
enum Tells {
    /// The cell in the request, as a session does.
    Request,
    /// A cell of its own in the response, as a layer does that knows nothing of the request's.
    Response,
    /// The request's cell, while the body comes.
    Body,
}

const ALL: [Tells; 3] = [Tells::Request, Tells::Response, Tells::Body];

/// The cell that a layer further out, or the cache itself, has left in a request.
fn cell_of(request: &Request<ScriptedBody>) -> PersonalCell {
    let cell = request.extensions().get::<PersonalCell>();
    cell.expect("the cache leaves one").clone()
}

/// An origin that looks at who asks whenever `looks` says so, and numbers its answers.
fn looking(
    tells: Tells,
    fields: Fields,
    gate: &Gate,
    looks: &Arc<AtomicBool>,
) -> Origin<ScriptedBody> {
    let (gate, looks) = (gate.clone(), looks.clone());
    let calls = AtomicUsize::new(0);
    Origin::new(move |request| {
        let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
        let looks = looks.load(Ordering::SeqCst);
        let (passed, cell) = (gate.pass(), cell_of(&request));
        async move {
            passed.await;
            let body = ScriptedBody::frames([call.to_string()]).unknown_length();
            let mut answer = response(fields, body);
            match tells {
                _ if !looks => {}
                Tells::Request => cell.mark(),
                Tells::Response => {
                    let cell = PersonalCell::default();
                    cell.mark();
                    answer.extensions_mut().insert(cell);
                }
                Tells::Body => {
                    let marked = async move { cell.mark() };
                    answer = answer.map(|body| body.wait(marked).data("!"));
                }
            }
            Ok(answer)
        }
    })
}

fn always(tells: Tells, fields: Fields) -> Origin<ScriptedBody> {
    looking(tells, fields, &Gate::opened(), &Arc::new(true.into()))
}

fn asking(
    cache: &Cache<Origin<ScriptedBody>>,
    request: Request<ScriptedBody>,
) -> tokio::task::JoinHandle<Answer> {
    let cache = cache.clone();
    tokio::spawn(async move { ask(&cache, request).await })
}

/// A request as a session layer further out hands it on.
fn with_cell(request: Request<ScriptedBody>) -> (Request<ScriptedBody>, PersonalCell) {
    let (mut request, cell) = (request, PersonalCell::default());
    request.extensions_mut().insert(cell.clone());
    (request, cell)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_looked_at_a_session_is_not_stored_whatever_its_fields_say() {
    for place in Place::both().await {
        let class = Class::fresh_for(Duration::from_secs(60)).allow_cookies();
        let layer = place.layer().classes(Classes::new().class("c", class));
        let layer = layer.class("c").danger_strip_set_cookie();
        let layer = layer.build().expect("good options");
        let other = CacheLayer::new(place.other_process().await);
        for (at, fields) in [&[][..], MINUTE, PUBLIC].into_iter().enumerate() {
            for tells in ALL {
                let origin = always(tells, fields);
                let uri = format!("/{at}/{tells:?}");
                for cache in [service(&layer, &origin), service(&other, &origin)] {
                    for fields in [&[][..], &[("cookie", "id=1")], &[("cookie", "id=2")]] {
                        let (request, _) = with_cell(request("GET", &uri, fields));
                        assert_eq!(ask(&cache, request).await.outcome, Some(Outcome::Miss));
                        let asked = ask(&cache, self::request("GET", &uri, fields)).await;
                        assert_eq!(asked.outcome, Some(Outcome::Miss));
                    }
                }
                assert_eq!(origin.calls(), 12, "each was asked of the origin");
            }
        }
        assert_eq!(layer.handle().stats().entries, 0);
        if let Some(server) = &place.server {
            assert_eq!(server.command_stats().get("set"), None, "nothing written");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_is_told_why() {
    let place = Place::memory();
    let layer = place.layer().build().expect("good options");
    for (uri, tells) in [("/a", Tells::Request), ("/b", Tells::Response)] {
        let cache = service(&layer, &always(tells, MINUTE));
        let status = ask(&cache, get(uri)).await;
        let said = "tower-keep;fwd=uri-miss;detail=personal";
        assert_eq!(status.cache_status(), said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_it_is_let_go_and_the_next_do_not_queue() {
    for place in Place::both().await {
        for (uri, tells) in ["/a", "/b", "/c"].into_iter().zip(ALL) {
            let gate = Gate::closed();
            let origin = looking(tells, PUBLIC, &gate, &Arc::new(true.into()));
            let cache = service(&place.layer().build().expect("good options"), &origin);
            let visitor = || request("GET", uri, &[("cookie", "id=1")]);
            let leader = asking(&cache, with_cell(visitor()).0);
            eventually(LONG, async || gate.waiters() == 1).await;
            let mut all: Vec<_> = (0..4)
                .map(|_| asking(&cache, with_cell(visitor()).0))
                .collect();
            gate.let_through(1);
            all.push(leader);
            eventually(LONG, async || gate.waiters() == 4).await;
            all.push(asking(&cache, visitor()));
            eventually(LONG, async || gate.waiters() == 5).await;
            gate.open();
            let mut bodies = Vec::new();
            for one in all {
                let answer = one.await.expect("no panic");
                assert_eq!(answer.outcome, Some(Outcome::Miss));
                bodies.push(answer.body);
            }
            bodies.sort();
            bodies.dedup();
            assert_eq!(bodies.len(), 6, "each got its own");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_refresh_in_the_background_brings_for_one_client_is_not_served_to_others() {
    for place in Place::both().await {
        for (uri, tells) in ["/a", "/b", "/c"].into_iter().zip(ALL) {
            let looks = Arc::new(AtomicBool::new(false));
            let origin = looking(tells, &[], &Gate::opened(), &looks);
            let class = Class::fresh_for(Duration::from_secs(60))
                .stale_while_revalidate(Duration::from_secs(600))
                .allow_cookies();
            let layer = place.layer().classes(Classes::new().class("c", class));
            let layer = layer.class("c").build().expect("good options");
            let cache = service(&layer, &origin);
            let visitor = || request("GET", uri, &[("cookie", "id=1")]);
            assert_eq!(ask(&cache, get(uri)).await.text(), "1");
            place.clock.advance(Duration::from_secs(61));
            looks.store(true, Ordering::SeqCst);
            let (asked, cell) = with_cell(visitor());
            let stale = ask(&cache, asked).await;
            assert_eq!((stale.text(), stale.outcome), ("1", Some(Outcome::Stale)));
            eventually(LONG, async || origin.calls() == 2).await;
            if !matches!(tells, Tells::Response) {
                eventually(LONG, async || cell.is_marked()).await;
            }
            eventually(LONG, async || origin.in_flight() == 0).await;
            for request in [get(uri), visitor()] {
                let answer = ask(&cache, request).await;
                assert_eq!((answer.text(), answer.outcome), ("1", Some(Outcome::Stale)));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_for_all_is_served_to_visitors_with_a_session_that_nobody_looked_at() {
    for place in Place::both().await {
        let origin = counting(PUBLIC);
        let cache = service(&place.layer().build().expect("good options"), &origin);
        let visitor = |id| with_cell(request("GET", "/a", &[("cookie", id)])).0;
        assert_eq!(ask(&cache, visitor("id=1")).await.text(), "1");
        for request in [visitor("id=2"), get("/a"), visitor("id=3")] {
            let hit = ask(&cache, request).await;
            assert_eq!((hit.text(), hit.outcome), ("1", Some(Outcome::Hit)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_known_already_is_answered_only_with_what_is_declared_to_be_for_all() {
    for place in Place::both().await {
        let layer = place.layer().build().expect("good options");
        for (uri, fields, is_for_all) in [("/own", MINUTE, false), ("/all", PUBLIC, true)] {
            let origin = counting(fields);
            let cache = service(&layer, &origin);
            let known = |user: &'static str| {
                let mut request = get(uri);
                request.extensions_mut().insert(Identity::new(user));
                request
            };
            let looked_at = || {
                let (request, cell) = with_cell(get(uri));
                cell.mark();
                request
            };
            // What comes of it is for nobody else, unless it is for all.
            assert_eq!(ask(&cache, looked_at()).await.text(), "1");
            assert_eq!(ask(&cache, known("a")).await.text(), "2");
            assert_eq!(
                ask(&cache, known("b")).await.text(),
                if is_for_all { "2" } else { "3" }
            );
            let plain = ask(&cache, get(uri)).await;
            assert_eq!(plain.text(), if is_for_all { "2" } else { "4" });
            // And what others get is not for them.
            for request in [known("a"), looked_at()] {
                let answer = ask(&cache, request).await;
                assert_eq!(answer.text() == plain.text(), is_for_all, "{answer:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_one_whose_session_was_looked_at_before() {
    let place = Place::memory();
    let gate = Gate::closed();
    let origin = gated(&gate, PUBLIC);
    let layer = place.layer().patience(6 * LONG);
    let cache = service(&layer.build().expect("good options"), &origin);
    let visitor = || with_cell(request("GET", "/a", &[("cookie", "id=1")]));
    let (looked_at, cell) = visitor();
    cell.mark();
    let first = asking(&cache, looked_at);
    eventually(LONG, async || gate.waiters() == 1).await;
    let second = asking(&cache, visitor().0);
    eventually(LONG, async || gate.waiters() == 2).await;
    gate.open();
    assert_eq!(first.await.expect("no panic").text(), "1");
    assert_eq!(second.await.expect("no panic").text(), "2");
    assert_eq!(ask(&cache, visitor().0).await.text(), "2", "it was kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_page_is_not_refreshed_by_one_whose_session_was_looked_at_before() {
    let place = Place::memory();
    let origin = counting(&[(
        "cache-control",
        "public, max-age=60, stale-while-revalidate=60",
    )]);
    let layer = place.layer().build().expect("good options");
    let cache = service(&layer, &origin);
    assert_eq!(ask(&cache, get("/a")).await.text(), "1");
    let target = "/a".parse().expect("a URI");
    let handle = layer.handle();
    handle
        .invalidate_everything(Mode::Soft)
        .await
        .expect("written");
    let (looked_at, cell) = with_cell(get("/a"));
    cell.mark();
    assert_eq!(ask(&cache, looked_at).await.outcome, Some(Outcome::Stale));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(origin.calls(), 1);
    assert_eq!(ask(&cache, get("/a")).await.outcome, Some(Outcome::Stale));
    eventually(LONG, async || ask(&cache, get("/a")).await.text() == "2").await;
    handle.purge("example.com", &target).await.expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_in_trailers_is_not_stored() {
    let place = Place::memory();
    for strips in [false, true] {
        let origin = Origin::new(|_| async {
            let mut trailers = HeaderMap::new();
            let cookie = http::HeaderValue::from_static("id=1");
            trailers.insert("set-cookie", cookie);
            let body = ScriptedBody::frames(["x"]).trailers(trailers);
            Ok(response(PUBLIC, body.unknown_length()))
        });
        let layer = place.layer();
        let layer = if strips {
            layer.danger_strip_set_cookie()
        } else {
            layer
        };
        let cache = service(&layer.build().expect("good options"), &origin);
        let own = ask(&cache, get("/a")).await;
        assert!(
            own.trailers
                .expect("as they came")
                .contains_key("set-cookie")
        );
        let other = ask(&cache, get("/a")).await;
        assert_eq!(other.outcome == Some(Outcome::Hit), strips);
        if strips {
            assert!(
                !other
                    .trailers
                    .unwrap_or_default()
                    .contains_key("set-cookie")
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_caches_one_around_the_other_both_heed_it() {
    use tower::{Layer, Service, ServiceExt};

    for tells in ALL {
        let origin = always(tells, PUBLIC);
        let [outer, inner] = [Place::memory(), Place::memory()]
            .map(|place| place.layer().build().expect("good options"));
        let stack = outer.layer(inner.layer(origin.clone()));
        for call in 1..=3 {
            let mut stack = stack.clone();
            let asked = stack.ready().await.expect("ready").call(get("/a"));
            let answer: Response<_> = asked.await.expect("an answer");
            assert!(read(answer).await.text().starts_with(&call.to_string()));
        }
        assert_eq!(outer.handle().stats().entries, 0);
        assert_eq!(inner.handle().stats().entries, 0);
    }
}
