//! Requests that change something (RFC 9111 §4.4).

use std::sync::Arc;

use http::{
    HeaderMap, Request, Response, Uri,
    header::{CONTENT_LOCATION, LOCATION},
};
use http_body::Body;
use tower::util::Oneshot;
use tower_keep_store::{Mode, Outcome, OutcomeCell, Target};
use tower_service::Service;

use crate::{
    body::ResponseBody,
    engine::spawn,
    fetch::set,
    future::{Led, ResponseFuture},
    http::{
        key::authority,
        status::{Forward, Report},
    },
    shared::Shared,
};

/// Sends the request on; unless it fails, what is stored for its URI, and for those that the response
/// names, is invalidated before the client hears of the change.
pub(crate) fn invalidating<S, ReqBody, ResBody>(
    shared: Arc<Shared>,
    inner: S,
    request: Request<ReqBody>,
    cell: Option<&OutcomeCell>,
) -> ResponseFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Send + 'static,
    S::Future: Send,
    ReqBody: Send + 'static,
    ResBody: Body + Send + 'static,
{
    set(cell, Outcome::Bypass);
    let (head, body) = request.into_parts();
    let target = shared.keys.target(&head);
    let host = authority(&head).unwrap_or_default().to_vec();
    let unfinished = Unfinished {
        shared: shared.clone(),
        target,
    };
    let request = Request::from_parts(head, body);
    let work = async move {
        let result = Oneshot::new(inner, request).await;
        // From here on it is known whether something changed.
        let target = unfinished.finish();
        let response = result?;
        let status = response.status();
        if status.is_success() || status.is_redirection() {
            let named = named_targets(&shared, response.headers(), &host);
            let targets: Vec<_> = target.into_iter().chain(named).collect();
            invalidate(&shared, &targets).await;
        }
        let mut response = response.map(ResponseBody::passing);
        let report = Report::Forward {
            why: Forward::Method,
            stored: false,
            detail: None,
        };
        shared.status.write(report, response.headers_mut());
        Ok(response)
    };
    ResponseFuture::running(Box::pin(work), Led::default())
}

async fn invalidate(shared: &Shared, targets: &[Target]) {
    let engine = &shared.engine;
    let deadline = engine.store().step_deadline();
    if let Err(error) = engine.log().append(targets, Mode::Hard, deadline).await {
        // In force here; the others hear of it when the store is back.
        tracing::warn!(%error, "an invalidation could not be written yet");
    }
}

/// The URIs of this origin that the response says were made or changed.
fn named_targets(
    shared: &Shared,
    headers: &HeaderMap,
    host: &[u8],
) -> impl Iterator<Item = Target> {
    [LOCATION, CONTENT_LOCATION]
        .into_iter()
        .filter_map(|name| headers.get(name)?.to_str().ok()?.parse::<Uri>().ok())
        .filter(|uri| match uri.authority() {
            Some(authority) => authority.as_str().as_bytes().eq_ignore_ascii_case(host),
            None => uri.path().starts_with('/'),
        })
        .map(|uri| shared.keys.target_of(&uri, host))
}

/// A change whose answer nobody waited for. The handler may have got as far as the change, so what
/// depends on it is invalidated all the same.
struct Unfinished {
    shared: Arc<Shared>,
    target: Option<Target>,
}

impl Unfinished {
    /// Consumes the guard as a whole: a block that only touched its field would capture a copy of that,
    /// and leave the guard to its destructor.
    fn finish(mut self) -> Option<Target> {
        self.target.take()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(target) = self.target.take() {
            let shared = self.shared.clone();
            spawn(async move { invalidate(&shared, &[target]).await });
        }
    }
}
