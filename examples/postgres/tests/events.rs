//! Whoever changes a row, by whatever way, and whatever happens to the connection: no page stays as it was.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{Router, body::Body};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use tower_keep::Store;
use tower_keep_test_support::{
    Direction, PostgresServer, Random, RedisServer, TcpProxy, eventually, holds_within, seed,
};

/// The application on a server of its own, which it hears through a proxy.
struct Site {
    router: Router,
    server: PostgresServer,
    ear: TcpProxy,
}

struct Reply {
    status: StatusCode,
    is_hit: bool,
    body: Value,
}

impl Site {
    /// None where there is no PostgreSQL.
    async fn start(bound: Duration) -> Option<Self> {
        let server = PostgresServer::start()?;
        let ear = TcpProxy::start(server.address()).await;
        let (database, listen) = (server.address(), ear.address());
        let router = app(database, listen, bound, &Store::memory()).await;
        server.psql(PEOPLE);
        let site = Self {
            router,
            server,
            ear,
        };
        // Once the beginning of the feed has been told, nothing more is invalid but what is changed.
        for name in ["one", "two"] {
            site.hears(name).await;
        }
        Some(site)
    }

    async fn get(&self, page: &str) -> Reply {
        get(&self.router, page).await
    }

    async fn put(&self, page: &str, body: &str) -> StatusCode {
        let request = Request::put(page)
            .header("host", "test")
            .body(body.to_owned().into());
        send(&self.router, request.expect("a request")).await.status
    }

    async fn name(&self, id: u32) -> Value {
        self.get(&format!("/people/{id}")).await.body["name"].clone()
    }

    async fn is_kept(&self, page: &str) {
        eventually(SOON, async || self.get(page).await.is_hit).await;
    }

    /// A page that was kept shows a change that was made by hand.
    async fn hears(&self, name: &str) {
        self.is_kept("/people/1").await;
        self.rename(1, name);
        eventually(SOON, async || self.name(1).await == name).await;
    }

    /// By hand.
    fn rename(&self, id: u32, name: &str) {
        self.server.psql(&format!(
            "UPDATE people SET name = '{name}' WHERE id = {id}"
        ));
    }

    /// What the page has to show.
    fn truth(&self, page: &str) -> Value {
        let select = match page.rsplit_once('/').expect("a path") {
            ("/people", id) => format!("SELECT to_json(p) FROM people p WHERE id = {id}"),
            (_, team) => format!(
                "SELECT coalesce(json_agg(p ORDER BY id), '[]') FROM people p WHERE team = '{team}'"
            ),
        };
        serde_json::from_str(&self.server.psql(&select)).unwrap_or_default()
    }
}

async fn app(database: SocketAddr, listen: SocketAddr, bound: Duration, store: &Store) -> Router {
    let at = |address| {
        PostgresServer::at(address)
            .parse()
            .expect("a configuration")
    };
    let app = postgres_events::app(at(database), at(listen), bound, store);
    app.await.expect("the application starts")
}

async fn get(router: &Router, page: &str) -> Reply {
    let request = Request::get(page).header("host", "test");
    send(router, request.body(Body::empty()).expect("a request")).await
}

async fn send(router: &Router, request: Request<Body>) -> Reply {
    let response = router.clone().oneshot(request).await.expect("an answer");
    let said = response.headers().get("cache-status");
    let is_hit = said.is_some_and(|said| said.to_str().is_ok_and(|it| it.contains(";hit")));
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    Reply {
        status: head.status,
        is_hit,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }
}

const PEOPLE: &str = "INSERT INTO people
    SELECT id, 'nobody', CASE WHEN id < 10 THEN 'red' ELSE 'blue' END FROM generate_series(1, 2000) id";

/// What somebody may do by hand.
const CHANGES: &[&str] = &[
    "UPDATE people SET name = 'Ada' WHERE id = 1",
    "UPDATE people SET team = 'blue' WHERE id = 1",
    "UPDATE people SET id = 3000 WHERE id = 1",
    "INSERT INTO people VALUES (1, 'Grace', 'red')",
    "INSERT INTO people VALUES (1, '', '') ON CONFLICT (id) DO UPDATE SET name = 'Joan'",
    "MERGE INTO people p USING (VALUES (1)) v (id) ON p.id = v.id WHEN MATCHED THEN UPDATE SET name = 'Emmy'",
    "COPY people FROM STDIN;\n5000\tMary\tred\n\\.\n",
    "WITH gone AS (DELETE FROM people WHERE id = 1 RETURNING *) INSERT INTO people SELECT 4000, name, team FROM gone",
    "INSERT INTO people VALUES (1, 'Ada', 'red')",
    "SET session_replication_role = replica; UPDATE people SET name = 'Grace' WHERE id = 1",
    // More than are told one by one, and a key that no notification has room for.
    "UPDATE people SET name = name || '.'",
    "UPDATE people SET team = repeat('long', 2000) WHERE id = 1",
    "DELETE FROM people WHERE id < 5",
    "TRUNCATE people",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_page_shows_the_rows_as_they_are_whoever_changed_them() {
    let Some(site) = Site::start(LONG).await else {
        return;
    };
    for change in CHANGES {
        let pages = ["/people/1", "/teams/red", "/teams/blue"];
        for page in pages {
            // Who is not there is no page.
            if site.get(page).await.status == StatusCode::OK {
                site.is_kept(page).await;
            }
        }
        site.server.psql(change);
        for page in pages {
            let truth = site.truth(page);
            let is_true = async || site.get(page).await.body == truth;
            assert!(
                holds_within(SOON, is_true).await,
                "{page} does not show it: {change}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rolled_back_invalidates_nothing() {
    let Some(site) = Site::start(LONG).await else {
        return;
    };
    site.is_kept("/people/2").await;
    site.server
        .psql("BEGIN; UPDATE people SET name = 'Ada' WHERE id = 2; ROLLBACK");
    site.hears("later").await;
    assert!(site.get("/people/2").await.is_hit);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_changes_itself_is_shown_at_once_even_if_the_database_is_not_heard() {
    let Some(site) = Site::start(LONG).await else {
        return;
    };
    site.ear.hang().await;
    for name in ["Ada", "Grace", "Joan"] {
        site.is_kept("/people/2").await;
        site.is_kept("/teams/red").await;
        assert_eq!(site.put("/people/2", name).await, StatusCode::NO_CONTENT);
        assert_eq!(site.name(2).await, name);
        assert_eq!(site.get("/teams/red").await.body[1]["name"], name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_while_the_connection_was_cut_is_shown_when_it_is_back() {
    let Some(site) = Site::start(LONG).await else {
        return;
    };
    site.is_kept("/people/2").await;
    site.ear.refuse().await;
    site.rename(2, "Ada");
    // Nobody can know.
    assert_eq!(site.name(2).await, "nobody");
    site.ear.resume().await;
    eventually(SOON, async || site.name(2).await == "Ada").await;
    site.hears("again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashed_is_followed_again() {
    let Some(mut site) = Site::start(LONG).await else {
        return;
    };
    site.is_kept("/people/2").await;
    site.server.crash();
    site.rename(2, "Ada");
    eventually(SOON, async || site.name(2).await == "Ada").await;
    site.hears("again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_that_start_at_once_follow_on_one_redis_and_on_their_own() {
    let Some(server) = PostgresServer::start() else {
        return;
    };
    let redis = RedisServer::start();
    let stores = [redis.url(), redis.url(), "memory:".to_owned()];
    let stores = stores.map(|url| Store::connect(&url).expect("a store"));
    let at = server.address();
    let [one, two, three] = &stores;
    let (one, two, three) = tokio::join!(
        app(at, at, LONG, one),
        app(at, at, LONG, two),
        app(at, at, LONG, three)
    );
    server.psql(PEOPLE);
    for name in ["Ada", "Grace", "Joan"] {
        for process in [&one, &two, &three] {
            eventually(SOON, async || get(process, "/people/1").await.is_hit).await;
        }
        server.psql(&format!("UPDATE people SET name = '{name}' WHERE id = 1"));
        for process in [&one, &two, &three] {
            let is_shown = async || get(process, "/people/1").await.body["name"] == name;
            eventually(SOON, is_shown).await;
        }
    }
}

/// A pause between commit and notification.
#[tokio::test(flavor = "multi_thread")]
async fn silence_ends_what_is_kept_after_the_bound() {
    let Some(site) = Site::start(Duration::from_secs(2)).await else {
        return;
    };
    for name in ["Ada", "Grace"] {
        site.is_kept("/people/2").await;
        site.ear.hang().await;
        site.rename(2, name);
        eventually(SOON, async || site.name(2).await == name).await;
        site.rename(2, "who?");
        eventually(SOON, async || site.name(2).await == "who?").await;
        site.ear.resume().await;
        site.hears(name).await;
    }
}

/// Changes by hand and cuts, at random.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_what_is_older_than_the_bound() {
    let mut random = Random::new(seed());
    let bound = Duration::from_secs(2);
    let Some(site) = Site::start(bound).await else {
        return;
    };
    let mut ages = Vec::new();
    for number in 0..CHANGES_AT_RANDOM {
        let name = number.to_string();
        match random.below(8) {
            0 => site.ear.cut().await,
            1 => site
                .ear
                .cut_after(Direction::ToClient, random.index(200) + 1),
            _ => {}
        }
        site.is_kept("/people/2").await;
        tokio::task::block_in_place(|| site.rename(2, &name));
        let changed = Instant::now();
        let shown = holds_within(bound * 3, async || site.name(2).await == name.as_str()).await;
        assert!(shown, "change {number} is not shown");
        ages.push(changed.elapsed());
    }
    ages.sort_unstable();
    let of = |part: usize| ages[(ages.len() - 1) * part / 100];
    eprintln!(
        "from commit to page: median {:?}, 90 % {:?}, longest {:?}",
        of(50),
        of(90),
        of(100)
    );
}

const CHANGES_AT_RANDOM: u32 = 100;

/// Longer than any test waits: what is shown was told, and not found out by silence.
const LONG: Duration = Duration::from_secs(16);

const SOON: Duration = Duration::from_secs(8);
