//! One request, from the connection through the layers to the answer.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use tower::{BoxError, ServiceExt};
use tower_keep::{OutcomeCell, PeerAddr};
use tower_service::Service;

use super::{Admission, refusal::Refusal};
use crate::{
    log::{AccessLog, LoggedBody},
    proxy::{ProxyError, RequestBody},
};

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) admission: Admission,
    pub(crate) log: AccessLog,
    pub(crate) body_timeout: Duration,
}

/// Answers a request; what goes wrong is an answer too.
pub(crate) async fn respond<S, B>(
    front: Arc<Front>,
    service: S,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<LoggedBody<Either<B, Full<Bytes>>>>, Infallible>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = ProxyError>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let outcome = OutcomeCell::default();
    let line = front.log.begin(&request, peer.ip(), &outcome);
    let response = match front.take(request, peer, outcome) {
        Ok(request) => match service.oneshot(request).await {
            Ok(response) => response.map(Either::Left),
            Err(error) => error.answer().map(Either::Right),
        },
        Err(refusal) => refusal.answer().map(Either::Right),
    };
    Ok(LoggedBody::around(response, line))
}

impl Front {
    fn take(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        outcome: OutcomeCell,
    ) -> Result<Request<RequestBody>, Refusal> {
        let (mut head, body) = request.into_parts();
        self.admission.admit(&mut head, peer.ip())?;
        head.extensions.insert(PeerAddr(peer));
        head.extensions.insert(outcome);
        let body = RequestBody::new(body, self.body_timeout, self.admission.largest_body());
        Ok(Request::from_parts(head, body))
    }
}
