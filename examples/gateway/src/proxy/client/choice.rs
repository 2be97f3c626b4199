//! Which protocol the origin speaks: the one that is configured, or the one that it chooses.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use super::{ConnectError, Connector, OriginUrl, Way, http2::Http2};
use crate::{
    config::{Config, Protocol},
    error::StartError,
    proxy::connection::Offer,
};

/// Knows what the origin speaks, and its HTTP/2 connections.
#[derive(Debug)]
pub(super) struct Choice {
    connector: Connector,
    speaks: Speaks,
    known: Arc<Mutex<Known>>,
    /// Held by the one who connects, with how it went the last time.
    connecting: tokio::sync::Mutex<Option<Failure>>,
    idle_timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    Http1,
    H2c,
    /// What is agreed on in the TLS handshake (RFC 7301).
    Agreed,
}

#[derive(Debug, Default)]
struct Known {
    is_http1: bool,
    /// Those in front are filled first.
    http2: Vec<Http2>,
    /// Whether somebody closes those that are idle.
    is_watched: bool,
}

#[derive(Debug)]
struct Failure {
    at: Instant,
    error: Arc<ConnectError>,
}

impl Choice {
    pub(super) fn new(
        config: &Config,
        origin: &OriginUrl,
        connector: Connector,
    ) -> Result<Self, StartError> {
        let speaks = match (config.pool.protocol, origin.is_secure()) {
            (Protocol::Http1, _) | (Protocol::Auto, false) => Speaks::Http1,
            (Protocol::Auto, true) => Speaks::Agreed,
            (Protocol::H2c, false) => Speaks::H2c,
            (Protocol::H2c, true) => {
                return Err(StartError::new(
                    "pool.protocol: h2c is HTTP/2 without TLS; with it, \"auto\" lets the origin choose",
                ));
            }
        };
        Ok(Self {
            connector,
            speaks,
            known: Arc::default(),
            connecting: tokio::sync::Mutex::default(),
            idle_timeout: config.pool.idle_timeout.0,
        })
    }

    pub(super) fn has_http1(&self) -> bool {
        self.speaks != Speaks::H2c
    }

    pub(super) fn has_http2(&self) -> bool {
        self.speaks != Speaks::Http1
    }

    pub(super) async fn way(&self) -> Result<Way, Arc<ConnectError>> {
        if let Some(way) = self.known_way() {
            return Ok(way);
        }
        let came = Instant::now();
        let mut last = self.connecting.lock().await;
        if let Some(way) = self.known_way() {
            return Ok(way);
        }
        // Whoever waited for a try that failed does not try again after it, one after another.
        if let Some(failure) = last.as_ref().filter(|failure| failure.at >= came) {
            return Err(failure.error.clone());
        }
        self.find_out().await.map_err(|error| {
            let (error, at) = (Arc::new(error), Instant::now());
            *last = Some(Failure {
                at,
                error: error.clone(),
            });
            error
        })
    }

    /// Asks the origin again next time.
    pub(super) fn forget(&self) {
        self.known().is_http1 = false;
    }

    fn known_way(&self) -> Option<Way> {
        if self.speaks == Speaks::Http1 {
            return Some(Way::Http1);
        }
        let mut known = self.known();
        if known.is_http1 {
            return Some(Way::Http1);
        }
        let connections = &mut known.http2;
        connections.retain(|connection| connection.is_good(self.idle_timeout));
        let free = connections
            .iter_mut()
            .find(|connection| connection.has_room());
        free.map(|connection| Way::Http2(connection.slot()))
    }

    async fn find_out(&self) -> Result<Way, ConnectError> {
        let stream = self.connector.connect(Offer::Either).await?;
        if self.speaks == Speaks::Agreed && !stream.is_http2() {
            // Its connections are pooled elsewhere; this one has told what it was for.
            self.known().is_http1 = true;
            return Ok(Way::Http1);
        }
        let opened = Http2::open(stream).await;
        let mut connection = opened.inspect_err(|error| self.connector.report(error))?;
        let slot = connection.slot();
        let mut known = self.known();
        known.http2.push(connection);
        if !std::mem::replace(&mut known.is_watched, true) {
            tokio::spawn(close_idle(Arc::downgrade(&self.known), self.idle_timeout));
        }
        drop(known);
        Ok(Way::Http2(slot))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until there are none.
async fn close_idle(known: Weak<Mutex<Known>>, idle_timeout: Duration) {
    loop {
        tokio::time::sleep(idle_timeout.max(LEAST_PAUSE)).await;
        let Some(known) = known.upgrade() else { return };
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = &mut known.http2;
        connections.retain(|connection| connection.is_good(idle_timeout));
        if connections.is_empty() {
            known.is_watched = false;
            return;
        }
    }
}

/// Between two looks at what is idle.
const LEAST_PAUSE: Duration = Duration::from_millis(100);
