//! An application on a small database of its own.

#![allow(clippy::unwrap_used, dead_code)]

pub(crate) mod process;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use axum::{Router, body::Body, extract::ConnectInfo};
use bytes::Bytes;
use dashboard::{App, Database, Limits, Monitoring, Sessions, Volume};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;
use tower_keep::Store;

/// One process's worth of the application.
pub(crate) struct Site {
    pub(crate) database: Database,
    pub(crate) store: Store,
    router: Router,
    directory: Option<TempDir>,
}

/// A response, read to its end.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::on(Store::memory())
    }

    pub(crate) fn on(store: Store) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let site = Self::open(directory.path(), store);
        Self {
            directory: Some(directory),
            ..site
        }
    }

    /// One that keeps browsers signed in differently.
    pub(crate) fn with(sessions: Sessions) -> Self {
        Self::new().again(sessions, Monitoring::default())
    }

    /// The same, its cache judged differently.
    pub(crate) fn judged(self, monitoring: Monitoring) -> Self {
        self.again(Sessions::default(), monitoring)
    }

    /// The same, for as many requests as there are.
    pub(crate) fn unlimited(self) -> Self {
        let limits = Limits {
            address_per_second: u32::MAX,
        };
        let app = App::new(
            self.database.clone(),
            &self.store,
            limits,
            Sessions::default(),
            Monitoring::default(),
        );
        let router = app.unwrap().into_router();
        Self { router, ..self }
    }

    /// Where its database is.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.as_ref().unwrap().path().join("test.db")
    }

    fn again(self, sessions: Sessions, monitoring: Monitoring) -> Self {
        let app = App::new(
            self.database.clone(),
            &self.store,
            Limits::default(),
            sessions,
            monitoring,
        );
        let router = app.unwrap().into_router();
        Self { router, ..self }
    }

    /// Another application on the same database file and the same store.
    pub(crate) fn sibling(&self) -> Self {
        self.sibling_on(self.store.clone())
    }

    pub(crate) fn sibling_on(&self, store: Store) -> Self {
        Self::open(self.directory.as_ref().unwrap().path(), store)
    }

    fn open(directory: &Path, store: Store) -> Self {
        let database = Database::open(&directory.join("test.db"), &Volume::small()).unwrap();
        let router = App::new(
            database.clone(),
            &store,
            Limits::default(),
            Sessions::default(),
            Monitoring::default(),
        )
        .unwrap()
        .into_router();
        Self {
            database,
            store,
            router,
            directory: None,
        }
    }

    pub(crate) async fn send(&self, request: Request<impl Into<Body>>) -> Reply {
        self.send_from(LOCAL, request).await
    }

    /// Sends as the server does: with the client's address.
    pub(crate) fn send_from<B: Into<Body>>(
        &self,
        client: [u8; 4],
        request: Request<B>,
    ) -> impl Future<Output = Reply> + Send + use<B> {
        let mut request = request.map(Into::into);
        let client = ConnectInfo(SocketAddr::from((client, 12345)));
        request.extensions_mut().insert(client);
        let response = self.router.clone().oneshot(request);
        async {
            let (head, body) = response.await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            Reply {
                status: head.status,
                headers: head.headers,
                body,
            }
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(
            Request::get(path)
                .header("host", "test")
                .body(Body::empty())
                .unwrap(),
        )
        .await
    }

    pub(crate) async fn get_bypassed(&self, path: &str) -> Reply {
        let request = Request::get(path)
            .header("host", "test")
            .header("x-bypass-cache", "1");
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn change_status(&self, candidate: i64, body: &str) -> Reply {
        let request = Request::builder()
            .method(Method::PATCH)
            .uri(format!("/api/candidates/{candidate}/status"))
            .header("host", "test")
            .header("content-type", "application/json");
        self.send(request.body(body.to_owned()).unwrap()).await
    }
}

/// A client that keeps its cookie, as a browser does.
pub(crate) struct Client<'a> {
    site: &'a Site,
    name: &'static str,
    cookie: Option<String>,
}

impl Site {
    pub(crate) fn client(&self, name: &'static str) -> Client<'_> {
        Client {
            site: self,
            name,
            cookie: None,
        }
    }
}

impl Client<'_> {
    /// Sends what a page of the site itself sends.
    pub(crate) async fn send(&mut self, method: &str, path: &str, body: &str) -> Reply {
        let request = self.request(method, path);
        let reply = self.site.send(request.body(body.to_owned()).unwrap()).await;
        if let Some(line) = reply.headers.get("set-cookie") {
            let line = line.to_str().unwrap();
            let (cookie, _) = line.split_once(';').unwrap();
            self.cookie = (!line.contains("Max-Age=0")).then(|| cookie.to_owned());
        }
        reply
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> http::request::Builder {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "test")
            .header("user-agent", self.name)
            .header("sec-fetch-site", "same-origin");
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, "").await
    }

    pub(crate) async fn post(&mut self, path: &str) -> Reply {
        self.send("POST", path, "").await
    }

    pub(crate) async fn sign_in(&mut self, email: &str, password: &str) -> Reply {
        let body = json!({ "email": email, "password": password });
        self.send("POST", "/api/login", &body.to_string()).await
    }

    /// Signed in with the demonstration's account.
    pub(crate) async fn demo(mut self) -> Self {
        let reply = self.sign_in("demo@example.com", "demo").await;
        assert_eq!(reply.status, StatusCode::OK, "{:?}", reply.body);
        self
    }

    /// Who the site says this is.
    pub(crate) async fn who(&mut self) -> Option<String> {
        let reply = self.get("/api/me").await;
        assert_eq!(reply.header("cache-control"), "no-store");
        if reply.status == StatusCode::OK {
            return Some(reply.json()["email"].as_str().unwrap().to_owned());
        }
        reply.expect_problem(401);
        None
    }

    /// What another client would have, had it copied the cookie.
    pub(crate) fn copy(&self) -> Self {
        self.at(self.site)
    }

    /// The same at another application.
    pub(crate) fn at<'b>(&self, site: &'b Site) -> Client<'b> {
        Client {
            site,
            name: self.name,
            cookie: self.cookie.clone(),
        }
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn is_hit(&self) -> bool {
        self.header("cache-status")
            .split(';')
            .any(|part| part.trim() == "hit")
    }

    /// The number of queries that `Server-Timing` reports.
    pub(crate) fn queries(&self) -> u32 {
        let (_, db) = self.header("server-timing").split_once("desc=\"").unwrap();
        db.split_once(' ').unwrap().0.parse().unwrap()
    }

    /// Asserts that this is a refusal with this status, said the standard way.
    pub(crate) fn expect_problem(&self, status: u16) {
        assert_eq!(self.status, status, "{:?}", self.body);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.json()["status"], status);
        assert!(!self.json()["detail"].as_str().unwrap().is_empty());
    }
}

pub(crate) const LOCAL: [u8; 4] = [127, 0, 0, 1];
