//! The application: pages and values of items that a database has, cached.
//!
//! | request | answer |
//! |---|---|
//! | `GET /page/{item}` | the item's version, from the cache of responses |
//! | `GET /second/{item}` | the same, of a class that has no first level |
//! | `GET /tagged/{item}?tag=…` | the same, with these tags besides; `tags=n` gives it `n` more |
//! | `GET /object/{item}` | the item's version, from the cache of values |
//! | `POST /invalidate/{kind}/{name}` (the name may be empty) | 204 once everybody will know, 503 if that is not sure |
//! | `POST /write/{item}` | the new version, once everybody will know; the item was in doubt from before the change. 503 if it was made, and that is not sure |
//! | `POST /put/{item}` | the same, and its value is stored; the item was not in doubt before |
//! | `POST /put-announced/{item}` | the same, and it was |
//! | `GET /begun` | how many requests for pages and values have come |
//!
//! A page depends on its item, on the item's group and on one of three colours, which are classes.

mod invalidate;
mod origin;
mod pages;
mod write;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use clap::Parser;
use tokio::net::TcpListener;
use tower_keep_cache::{CacheHandle, CacheLayer, CacheLayerBuilder, Class, Classes, ObjectCache};
use tower_keep_store::{Consistency, Store};

use self::origin::Origin;
pub use self::write::DOUBT_LEASE;

/// What one process is told at its start.
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// The URL of the store.
    #[arg(long)]
    pub store: String,
    /// Where the database is.
    #[arg(long)]
    pub database: SocketAddr,
    /// How long the first level may answer without news, in milliseconds.
    #[arg(long, default_value_t = 5000)]
    pub staleness_bound: u64,
    /// How long one request waits for another's fetch, in milliseconds.
    #[arg(long, default_value_t = 10_000)]
    pub patience: u64,
    /// Look at the log's end before anything stored is used.
    #[arg(long)]
    pub strict: bool,
    /// One fetch for all processes, with a lease of so many milliseconds.
    #[arg(long)]
    pub lease: Option<u64>,
    /// The deadline of a step of the store, in milliseconds.
    #[arg(long, default_value_t = 250)]
    pub deadline: u64,
}

/// What the handlers share.
#[derive(Clone, Debug)]
struct App {
    origin: Origin,
    handle: CacheHandle,
    objects: ObjectCache<u64>,
    begun: Arc<AtomicUsize>,
}

/// Serves on a free port, and says which.
///
/// # Panics
///
/// If that fails.
#[allow(clippy::print_stdout)]
pub async fn run(options: Options) {
    let router = router(&options);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await;
    let listener = listener.expect("the loopback interface has a free port");
    let address = listener.local_addr().expect("a bound listener");
    println!("{LISTENS}{address}");
    let served = axum::serve(listener, router).await;
    served.expect("it runs until it is killed");
}

fn router(options: &Options) -> Router {
    let store = Store::builder()
        .staleness_bound(Duration::from_millis(options.staleness_bound))
        .deadline(Duration::from_millis(options.deadline))
        .connect(&options.store)
        .expect("a good URL");
    let lease = options.lease.map(Duration::from_millis);
    let builder = CacheLayer::builder(store)
        .classes(classes(lease))
        .patience(Duration::from_millis(options.patience))
        .consistency(match options.strict {
            true => Consistency::Strict,
            false => Consistency::Eventual,
        });
    // Of which class a page is, only its response says.
    let layer = lease
        .into_iter()
        .fold(builder, CacheLayerBuilder::lease)
        .build()
        .expect("options that go together");
    let handle = layer.handle();
    let app = App {
        origin: Origin::new(options.database),
        objects: handle.objects(OBJECTS).expect("a class"),
        handle,
        begun: Arc::default(),
    };
    let pages = Router::new()
        .route("/page/{item}", get(pages::page))
        .route("/second/{item}", get(pages::second))
        .route("/tagged/{item}", get(pages::tagged))
        .layer(layer);
    let objects = Router::new().route("/object/{item}", get(pages::object));
    pages
        .merge(objects)
        .route_layer(middleware::from_fn_with_state(app.clone(), count))
        .route("/invalidate/{kind}/{name}", post(invalidate::invalidate))
        .route("/invalidate/{kind}/", post(invalidate::invalidate_all))
        .route("/write/{item}", post(write::write))
        .route("/put/{item}", post(write::put))
        .route("/put-announced/{item}", post(write::put_announced))
        .route("/begun", get(begun))
        .with_state(app)
}

/// Lifetimes that no test outlives.
fn classes(lease: Option<Duration>) -> Classes {
    let class = || {
        let class = Class::fresh_for(Duration::from_secs(3600));
        lease.into_iter().fold(class, Class::lease)
    };
    let classes = Classes::new()
        .class(OBJECTS, class())
        .class(SECOND, class().first_level(false));
    COLOURS
        .into_iter()
        .fold(classes, |classes, colour| classes.class(colour, class()))
}

async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    app.begun.fetch_add(1, Ordering::SeqCst);
    next.run(request).await
}

async fn begun(State(app): State<App>) -> String {
    app.begun.load(Ordering::SeqCst).to_string()
}

/// What a process says before its address.
pub(crate) const LISTENS: &str = "listening on ";

/// The host that all clients ask for, whichever process they ask: it is part of what is cached.
pub const HOST: &str = "items.example";

/// The classes of pages.
pub const COLOURS: [&str; 3] = ["red", "green", "blue"];

/// The class of values.
pub const OBJECTS: &str = "objects";

/// The class of pages without a first level.
const SECOND: &str = "second";

/// Items are in groups by their number.
pub const GROUPS: u64 = 8;
