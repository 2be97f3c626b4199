//! From a name to a connection.

use std::{error::Error, sync::Arc, time::Duration};

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::{net::TcpStream, time::timeout};
use tower_service::Service;

use super::{ConnectError, OriginStream, report::Report, tls::Tls};
use crate::{config::Config, error::StartError, proxy::OriginUrl};

/// Connects to the origin. Clones share what they say of it in the log.
#[derive(Clone, Debug)]
pub(in crate::proxy) struct Connector {
    tcp: HttpConnector,
    tls: Option<Tls>,
    origin: Uri,
    timeout: Duration,
    report: Arc<Report>,
}

/// Which protocols the origin may choose from (RFC 7301). Without TLS nobody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Offer {
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 rather than HTTP/1.1.
    Either,
}

impl Connector {
    pub(in crate::proxy) fn new(config: &Config, origin: &OriginUrl) -> Result<Self, StartError> {
        let ca = config.pool.ca.as_deref();
        let tls = match (origin.is_secure(), ca) {
            (true, ca) => Some(Tls::new(origin, ca)?),
            (false, None) => None,
            (false, Some(_)) => {
                return Err(StartError::new(
                    "pool.ca: it is for an origin that begins with https://",
                ));
            }
        };
        let timeout = config.timeouts.connect.0;
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        // Of several addresses, each gets its share.
        tcp.set_connect_timeout(Some(timeout));
        Ok(Self {
            tcp,
            tls,
            origin: origin.uri().clone(),
            timeout,
            report: Arc::default(),
        })
    }

    /// A connection, ready to be spoken on. Why there is none stands in the log.
    pub(in crate::proxy) async fn connect(
        &self,
        offer: Offer,
    ) -> Result<OriginStream, ConnectError> {
        let connecting = timeout(self.timeout, self.reach(offer));
        let connected = connecting.await.unwrap_or(Err(ConnectError::TimedOut));
        if let Err(error) = &connected {
            self.report(error);
        }
        connected
    }

    /// Says in the log what went wrong.
    pub(in crate::proxy) fn report(&self, error: &(dyn Error + 'static)) {
        self.report.tell(&self.origin, error);
    }

    async fn reach(&self, offer: Offer) -> Result<OriginStream, ConnectError> {
        let stream = self.tcp().await?;
        match &self.tls {
            Some(tls) => tls.connect(stream, offer).await,
            None => Ok(OriginStream::Plain(stream)),
        }
    }

    async fn tcp(&self) -> Result<TcpStream, ConnectError> {
        // Always ready, and cheap to clone.
        let connecting = self.tcp.clone().call(self.origin.clone());
        let stream = connecting.await.map_err(ConnectError::tcp)?;
        Ok(stream.into_inner())
    }
}
