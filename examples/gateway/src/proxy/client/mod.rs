//! Requests to the origin, in the protocol that it speaks.

mod again;
mod choice;
mod http1;
mod http2;

use http::{Request, Response, Version};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

pub(super) use self::http2::{Held, Slot};
use self::{choice::Choice, http1::Http1};
use super::{
    OriginUrl, ProxyError, RequestBody,
    connection::{ConnectError, Connector},
};
use crate::{config::Config, error::StartError};

/// Sends requests to the origin.
#[derive(Debug)]
pub(super) struct Client {
    connector: Connector,
    http1: Http1,
    choice: Choice,
}

/// How a request reaches the origin, for which it is then [addressed](super::outgoing::address).
#[derive(Debug)]
pub(super) enum Way {
    /// On a connection of its own, for as long as it takes.
    Http1,
    /// Among others on one connection.
    Http2(Slot),
}

/// What came of sending a request.
pub(super) enum Sent {
    /// The answer, and the place on a connection that it holds until its body has ended.
    Answer(Response<Incoming>, Option<Held>),
    /// The connection was closed before any of it was sent.
    Back(Request<RequestBody>, hyper::Error),
}

impl Way {
    pub(super) fn version(&self) -> Version {
        match self {
            Self::Http1 => Version::HTTP_11,
            Self::Http2(_) => Version::HTTP_2,
        }
    }
}

impl Client {
    pub(super) fn new(config: &Config, origin: &OriginUrl) -> Result<Self, StartError> {
        let connector = Connector::new(config, origin)?;
        Ok(Self {
            choice: Choice::new(config, origin, connector.clone())?,
            http1: http1::client(config, connector.clone()),
            connector,
        })
    }

    /// Which way the next request goes. Only HTTP/1.1 can go over to another protocol.
    pub(super) async fn way(
        &self,
        wants_upgrade: bool,
        deadline: Instant,
    ) -> Result<Way, ProxyError> {
        if wants_upgrade && self.choice.has_http1() {
            return Ok(Way::Http1);
        }
        timeout_at(deadline, self.choice.way())
            .await
            .map_err(|_| ProxyError::TimedOut)?
            .map_err(ProxyError::of_connect)
    }

    pub(super) async fn send(
        &self,
        way: Way,
        request: Request<RequestBody>,
        deadline: Instant,
    ) -> Result<Sent, ProxyError> {
        let sent = match way {
            Way::Http1 => self.send_http1(request, deadline).await,
            Way::Http2(slot) => slot.send(request, deadline).await,
        };
        if let Err(error) = &sent {
            self.failed(error);
        }
        sent
    }

    /// Of a request that came back once too often.
    pub(super) fn give_up(&self, closed: hyper::Error) -> ProxyError {
        let error = ProxyError::of(closed);
        self.failed(&error);
        error
    }

    fn failed(&self, error: &ProxyError) {
        match error {
            ProxyError::Broken(error) => self.connector.report(&**error),
            // The connector has said why.
            ProxyError::Unreachable(_) | ProxyError::ConnectTimedOut => {}
            _ => return,
        }
        // Perhaps it is another server now.
        self.choice.forget();
    }

    async fn send_http1(
        &self,
        request: Request<RequestBody>,
        deadline: Instant,
    ) -> Result<Sent, ProxyError> {
        let answer = timeout_at(deadline, self.http1.request(request))
            .await
            .map_err(|_| ProxyError::TimedOut)?
            .map_err(ProxyError::of_http1)?;
        Ok(Sent::Answer(answer, None))
    }
}
