//! The innermost service: asks the origin.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{
    HeaderValue, Request, Response, StatusCode, Version,
    header::{CONNECTION, UPGRADE},
};
use hyper::{body::Incoming, upgrade};
use tower_service::Service;

use super::{
    OriginBody, OriginUrl, ProxyError, RequestBody,
    client::{Client, Held, Sent},
    hop_by_hop, outgoing, tunnel,
    upload::{Patience, Upload},
};
use crate::{config::Config, error::StartError, place::Place, pseudonym::Pseudonym};

/// Sends requests to the origin. Clones share its connections.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    origin: OriginUrl,
    pseudonym: Pseudonym,
    keep_host: bool,
    response_timeout: Duration,
    body_timeout: Duration,
}

impl Proxy {
    pub(crate) fn new(
        config: &Config,
        origin: OriginUrl,
        pseudonym: Pseudonym,
    ) -> Result<Self, StartError> {
        Ok(Self {
            shared: Arc::new(Shared {
                client: Client::new(config, &origin)?,
                origin,
                pseudonym,
                keep_host: config.pool.keep_host,
                response_timeout: config.timeouts.response.0,
                body_timeout: config.timeouts.body.0,
            }),
        })
    }
}

impl Service<Request<RequestBody>> for Proxy {
    type Response = Response<OriginBody>;
    type Error = ProxyError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<OriginBody>, ProxyError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let shared = self.shared.clone();
        Box::pin(async move { shared.ask(request).await })
    }
}

impl Shared {
    async fn ask(
        &self,
        mut request: Request<RequestBody>,
    ) -> Result<Response<OriginBody>, ProxyError> {
        let wants_upgrade = request.headers().contains_key(UPGRADE);
        let upgrade = wants_upgrade.then(|| upgrade::on(&mut request));
        let place = request.extensions_mut().remove();
        let (mut head, body) = request.into_parts();
        outgoing::sign(&mut head, &self.pseudonym);
        let request = Request::from_parts(head, body);
        let (response, held) = self.send(request, wants_upgrade).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(self.incoming(response, held));
        }
        let client = upgrade.ok_or(ProxyError::Upgraded)?;
        Ok(self.switch(response, client, place))
    }

    /// Once more, and then a few times, if the origin closed the connection before it looked at the request.
    async fn send(
        &self,
        mut request: Request<RequestBody>,
        wants_upgrade: bool,
    ) -> Result<(Response<Incoming>, Option<Held>), ProxyError> {
        if self.client.can_ask_again() {
            let gathered = request.body_mut().gather(MOST_GATHERED).await;
            gathered.map_err(|error| error.fault())?;
        }
        let patience = Patience::new(self.response_timeout);
        let upload = request.body_mut().watched();
        let mut tries = 1;
        loop {
            match self
                .try_send(request, wants_upgrade, &patience, upload.as_ref())
                .await?
            {
                Sent::Answer(response, held) => return Ok((response, held)),
                Sent::Back(again, _) if tries < MOST_TRIES => request = *again,
                Sent::Back(_, closed) => return Err(self.client.give_up(closed)),
            }
            tries += 1;
        }
    }

    async fn try_send(
        &self,
        mut request: Request<RequestBody>,
        wants_upgrade: bool,
        patience: &Patience,
        upload: Option<&Arc<Upload>>,
    ) -> Result<Sent, ProxyError> {
        let way = self.client.way(wants_upgrade, patience.deadline).await?;
        outgoing::address(&mut request, &self.origin, self.keep_host, way.version());
        self.client.send(way, request, patience, upload).await
    }

    /// The response as the layers see it: without what ends at this hop.
    fn incoming(&self, response: Response<Incoming>, held: Option<Held>) -> Response<OriginBody> {
        let mut response =
            response.map(|body| OriginBody::new(body, self.body_timeout, None).holding(held));
        // The server speaks for itself: it must not answer in HTTP/1.0 because the origin does.
        *response.version_mut() = Version::HTTP_11;
        hop_by_hop::remove(response.headers_mut());
        response
    }

    fn switch(
        &self,
        mut response: Response<Incoming>,
        client: upgrade::OnUpgrade,
        place: Option<Place>,
    ) -> Response<OriginBody> {
        let protocol = response.headers().get(UPGRADE).cloned();
        tunnel::open(client, upgrade::on(&mut response), place);
        let mut response = self.incoming(response, None);
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Some(protocol) = protocol {
            headers.insert(UPGRADE, protocol);
        }
        response
    }
}

/// Bytes of a body that are taken before they are sent on: most forms fit.
const MOST_GATHERED: u64 = 64 << 10;

/// On connections that are closed as soon as they are used.
const MOST_TRIES: u32 = 5;
