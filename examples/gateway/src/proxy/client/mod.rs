//! Requests to the origin, in the protocol that it speaks.

mod again;
mod choice;
mod http1;
mod http2;

use std::sync::Arc;

use http::{Request, Response, Version};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

pub(super) use self::http2::{Held, Slot};
use self::{
    again::{again, may_be_done_twice, was_closed},
    choice::Choice,
    http1::Http1,
};
use super::{
    OriginUrl, ProxyError, RequestBody,
    connection::{ConnectError, Connector},
    upload::{Patience, Upload},
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
    /// The connection was closed before the origin did anything with it, or it may be done twice.
    Back(Box<Request<RequestBody>>, ProxyError),
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

    /// Whether an origin can say that it did nothing with a request.
    pub(super) fn can_ask_again(&self) -> bool {
        self.choice.has_http2()
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
        patience: &Patience,
        upload: Option<&Arc<Upload>>,
    ) -> Result<Sent, ProxyError> {
        let sent = match way {
            Way::Http1 => self.send_http1(request, patience, upload).await,
            Way::Http2(slot) => slot.send(request, patience, upload).await,
        };
        // A client's fault is not the origin's.
        let fault = upload.and_then(|upload| upload.fault());
        let sent = sent.map_err(|error| fault.map_or(error, ProxyError::from));
        if let Err(error) = &sent {
            self.failed(error);
        }
        sent
    }

    /// Of a request that came back once too often.
    pub(super) fn give_up(&self, closed: ProxyError) -> ProxyError {
        self.failed(&closed);
        closed
    }

    fn failed(&self, error: &ProxyError) {
        match error {
            // One request went wrong: others need not wait until it is known again what the origin speaks.
            ProxyError::Broken(error) => self.connector.report(&**error),
            // The connector has said why. Perhaps it is another server now.
            ProxyError::Unreachable(_) | ProxyError::ConnectTimedOut => self.choice.forget(),
            _ => {}
        }
    }

    async fn send_http1(
        &self,
        request: Request<RequestBody>,
        patience: &Patience,
        upload: Option<&Arc<Upload>>,
    ) -> Result<Sent, ProxyError> {
        let again = if may_be_done_twice(&request) {
            again(&request)
        } else {
            None
        };
        let answer = patience.wait(upload, self.http1.request(request)).await?;
        match answer {
            Ok(answer) => {
                http1::note(&answer);
                Ok(Sent::Answer(answer, None))
            }
            Err(error) => match again.filter(|_| was_closed(&error)) {
                Some(again) => Ok(Sent::Back(Box::new(again), ProxyError::of_http1(error))),
                None => Err(ProxyError::of_http1(error)),
            },
        }
    }
}
