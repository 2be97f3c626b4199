//! Sessions and a cache, one around the other, in both orders: nobody sees what is another's.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, header};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use tower::{Layer, Service, ServiceExt, util::BoxCloneSyncService};
use tower_keep_cache::CacheLayer;
use tower_keep_session::{Session, SessionCookie, SessionHandle, SessionLayer, Transport};
use tower_keep_store::{Clock, Store, Timestamp};
use tower_keep_test_support::{Random, RedisServer, eventually, seed};

mod identified;

const LONG: Duration = Duration::from_secs(10);
const OWN_FIELD: HeaderName = HeaderName::from_static("x-session");
/// Says of every page that it is one for all, as a careless handler would.
const PUBLIC: &str = "public, max-age=60, stale-while-revalidate=60, stale-if-error=60";

/// A body that comes when it is ready.
struct Page(Option<Pin<Box<dyn Future<Output = String> + Send>>>);

impl Body for Page {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(text) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let text = ready!(text.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(Some(Ok(Frame::data(text.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

/// Pages of which some look at the session, all without saying so in their fields.
#[derive(Clone, Default)]
struct App {
    calls: Arc<AtomicUsize>,
}

impl App {
    async fn answer(self, request: Request<Page>) -> Result<Response<Page>, Infallible> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let handle = SessionHandle::of(request.extensions()).expect("a session layer");
        pause(request.headers()).await;
        let path = request.uri().path().to_owned();
        let words: Vec<_> = path.split('/').skip(1).collect();
        let carriers = [header::COOKIE, header::AUTHORIZATION, OWN_FIELD];
        let knows = carriers
            .iter()
            .any(|name| request.headers().contains_key(name));
        let text = match words[..] {
            ["late", _] => {
                let headers = request.headers().clone();
                return Ok(page(async move {
                    pause(&headers).await;
                    own(&load(&handle).await)
                }));
            }
            ["mine", _] => own(&load(&handle).await),
            ["sometimes", _] if knows => own(&load(&handle).await),
            ["count", _] => {
                let session = load(&handle).await;
                let count = session.increment("count", 1).await.expect("counted");
                format!("{} {count}", own(&session))
            }
            ["rotate", _] => {
                let session = load(&handle).await;
                session.rotate().await.expect("rotated");
                own(&session)
            }
            ["login", user] => {
                let session = load(&handle).await;
                session.login(user, 1).await.expect("logged in");
                own(&session)
            }
            _ => "for all".to_owned(),
        };
        Ok(page(async { text }))
    }
}

/// Lets others go first, as often as the request says.
async fn pause(headers: &HeaderMap) {
    let times = headers["x-pauses"].to_str().expect("digits");
    pass(times.parse().expect("a number")).await;
}

async fn pass(times: u64) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

async fn load(handle: &SessionHandle) -> Session {
    handle.load().await.expect("the store is there")
}

fn own(session: &Session) -> String {
    session.user().unwrap_or("nobody".to_owned())
}

fn page(text: impl Future<Output = String> + Send + 'static) -> Response<Page> {
    let page = Response::builder().header("cache-control", PUBLIC);
    let body = Page(Some(Box::pin(text)));
    page.body(body).expect("a response")
}

type Stack =
    BoxCloneSyncService<Request<Page>, Response<UnsyncBoxBody<Bytes, Infallible>>, Infallible>;

#[derive(Clone, Copy, Debug)]
enum Order {
    SessionOutside,
    CacheOutside,
}

/// How tickets travel; the cache knows of two of them.
#[derive(Clone, Copy, Debug)]
enum By {
    Cookie,
    Bearer,
    OwnField,
}

#[derive(Clone, Copy, Debug)]
struct Case(Order, By);

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        let orders = [Order::SessionOutside, Order::CacheOutside].into_iter();
        orders.flat_map(|order| [By::Cookie, By::Bearer, By::OwnField].map(|by| Self(order, by)))
    }

    fn stack(self, store: &Store, app: &App) -> Stack {
        let transport = match self.1 {
            By::Cookie => Transport::Cookie(SessionCookie::default()),
            By::Bearer => Transport::Bearer,
            By::OwnField => Transport::Header(OWN_FIELD),
        };
        let session = SessionLayer::builder(store.clone()).transport(transport);
        let session = session.build().expect("good options");
        let cache = CacheLayer::builder(store.clone()).name(format!("{self:?}"));
        let cache = cache.build().expect("good options");
        let app = app.clone();
        let app = tower::service_fn(move |request| app.clone().answer(request));
        match self.0 {
            Order::SessionOutside => {
                let stack = session.layer(cache.layer(app));
                BoxCloneSyncService::new(stack.map_response(boxed))
            }
            Order::CacheOutside => {
                let stack = cache.layer(session.layer(app));
                BoxCloneSyncService::new(stack.map_response(boxed))
            }
        }
    }
}

fn boxed<B>(page: Response<B>) -> Response<UnsyncBoxBody<Bytes, Infallible>>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    page.map(BodyExt::boxed_unsync)
}

/// A client, and the ticket that it was told.
struct Client {
    by: By,
    ticket: Option<String>,
}

struct Seen {
    text: String,
    ticket: Option<String>,
    is_hit: bool,
}

impl Client {
    fn new(by: By) -> Self {
        Self { by, ticket: None }
    }

    async fn ask(&mut self, stack: &Stack, method: &str, path: &str, pauses: u64) -> Seen {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("host", "a.example");
        request = request.header("x-pauses", pauses);
        if let Some(ticket) = &self.ticket {
            request = match self.by {
                By::Cookie => request.header("cookie", format!("__Host-id={ticket}")),
                By::Bearer => request.header("authorization", format!("Bearer {ticket}")),
                By::OwnField => request.header(OWN_FIELD, ticket),
            };
        }
        let request = request.body(Page(None)).expect("a request");
        let mut stack = stack.clone();
        let stack = stack.ready().await.expect("ready");
        let answer = stack.call(request).await.expect("an answer");
        let ticket = self.told(answer.headers());
        if ticket.is_some() {
            self.ticket.clone_from(&ticket);
        }
        let is_hit = answer.headers().contains_key("age");
        let body = answer.into_body().collect().await.expect("a body");
        let text = String::from_utf8(body.to_bytes().into()).expect("text");
        Seen {
            text,
            ticket,
            is_hit,
        }
    }

    /// The ticket that an answer gives.
    fn told(&self, headers: &HeaderMap) -> Option<String> {
        let name = match self.by {
            By::Cookie => "set-cookie",
            By::Bearer => "session-ticket",
            By::OwnField => "x-session",
        };
        let line = headers.get(name)?.to_str().expect("visible ASCII");
        let By::Cookie = self.by else {
            return Some(line.to_owned());
        };
        let pair = line.strip_prefix("__Host-id=").expect("the session's");
        let (value, _) = pair.split_once(';').expect("attributes");
        Some(value.to_owned())
    }
}

/// A store, as several processes see it.
struct Place {
    processes: Vec<Store>,
    clock: Clock,
    _server: Option<RedisServer>,
}

impl Place {
    async fn both() -> [Self; 2] {
        let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
        let memory = Store::builder().clock(clock.clone()).memory();
        let memory = Self {
            processes: vec![memory.clone(), memory],
            clock,
            _server: None,
        };
        [memory, Self::redis().await]
    }

    async fn redis() -> Self {
        let server = RedisServer::start();
        let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
        let connect = |_| {
            let store = Store::builder().clock(clock.clone()).deadline(LONG);
            store.connect(&server.url()).expect("a good URL")
        };
        let processes: Vec<_> = (0..2).map(connect).collect();
        for store in &processes {
            eventually(LONG, async || store.log().is_current()).await;
        }
        Self {
            processes,
            clock,
            _server: Some(server),
        }
    }
}

/// Who was given which ticket.
type Tickets = Arc<Mutex<HashMap<String, String>>>;

/// One user's way through the pages; says how many answers came from the cache.
async fn wander(
    user: String,
    mut client: Client,
    stacks: Vec<Stack>,
    clock: Clock,
    tickets: Tickets,
    mut random: Random,
) -> usize {
    let mut own = "nobody".to_owned();
    let (mut hits, mut counted) = (0, 0);
    for _ in 0..STEPS {
        if random.one_in(40) {
            clock.advance(Duration::from_secs(random.below(70)));
        }
        let stack = &stacks[random.index(stacks.len())];
        let (pauses, number) = (random.below(8), random.below(3));
        let kinds = [
            "all",
            "mine",
            "late",
            "sometimes",
            "count",
            "rotate",
            "login",
        ];
        let kind = match random.pick(&kinds) {
            "rotate" | "count" if own == "nobody" => "login",
            "login" if random.one_in(2) => "all",
            kind => kind,
        };
        let (method, path) = match kind {
            "login" => ("POST", format!("/login/{user}")),
            _ => ("GET", format!("/{kind}/{number}")),
        };
        let stays = matches!(kind, "login" | "rotate" | "count") || !random.one_in(6);
        let soon = random.below(16);
        // Whoever leaves may leave others behind that wait for the same page.
        let seen = tokio::select! {
            biased;
            seen = client.ask(stack, method, &path, pauses) => seen,
            () = pass(soon), if !stays => continue,
        };
        let gives = matches!(kind, "login" | "rotate");
        // Also where a request that somebody left has found that the last ticket was not used in time.
        let may_give = gives || own != "nobody" && kind != "all" && !seen.is_hit;
        let is_given = seen.ticket.is_some();
        assert!(is_given || !gives, "{user} at {path}: no ticket");
        assert!(may_give || !is_given, "{user} at {path}: a ticket");
        if let Some(ticket) = seen.ticket {
            let mut tickets = tickets.lock().expect("no panic");
            let other = tickets.insert(ticket, user.clone());
            assert_eq!(other, None, "{user} at {path} was given a ticket again");
        }
        if kind == "login" {
            own.clone_from(&user);
        }
        let text = seen.text.as_str();
        match kind {
            "all" => assert_eq!(text, "for all"),
            "count" => {
                counted += 1;
                assert_eq!(text, format!("{own} {counted}"), "{path}");
            }
            // What is there for visitors without a cookie looked at no session.
            "sometimes" => assert!(text == own || text == "for all", "{user} saw {text}"),
            _ => assert_eq!(text, own, "{user} at {path}"),
        }
        if seen.is_hit {
            assert_eq!(text, "for all", "{user} at {path}: not from the cache");
            hits += 1;
        }
    }
    hits
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_users_do_at_the_same_time_nobody_sees_anothers_page_or_ticket() {
    let mut random = Random::new(seed());
    for place in Place::both().await {
        for case in Case::all() {
            let app = App::default();
            let stacks = place.processes.iter();
            let stacks: Vec<_> = stacks.map(|store| case.stack(store, &app)).collect();
            let tickets = Tickets::default();
            let mut users = Vec::new();
            for user in 0..USERS {
                users.push(tokio::spawn(wander(
                    format!("user-{}-{}-{user}", case.0 as u8, case.1 as u8),
                    Client::new(case.1),
                    stacks.clone(),
                    place.clock.clone(),
                    tickets.clone(),
                    Random::new(random.any()),
                )));
            }
            let mut hits = 0;
            for user in users {
                hits += user.await.expect("nobody saw what is another's");
            }
            assert!(hits > 0, "{case:?}: what is for all is served to all");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_looked_at_no_session_is_shared_by_all_who_have_one() {
    for place in Place::both().await {
        for case in Case::all() {
            let app = App::default();
            let stack = case.stack(&place.processes[0], &app);
            let path = format!("/all/{}{}", case.0 as u8, case.1 as u8);
            let mut clients = [0; 3].map(|_| Client::new(case.1));
            for (client, user) in clients.iter_mut().zip(["a", "b"]) {
                let login = format!("/login/{user}");
                client.ask(&stack, "POST", &login, 0).await;
                assert!(client.ticket.is_some());
            }
            let calls = app.calls.load(Ordering::SeqCst);
            for (at, client) in clients.iter_mut().enumerate() {
                let seen = client.ask(&stack, "GET", &path, 0).await;
                assert_eq!((seen.text.as_str(), seen.is_hit), ("for all", at > 0));
            }
            assert_eq!(app.calls.load(Ordering::SeqCst), calls + 1);
        }
    }
}

const USERS: usize = 12;
const STEPS: usize = 80;
