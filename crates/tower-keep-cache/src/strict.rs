//! The way of a request that first catches up with the invalidation log.

use http::{Request, Response};
use http_body::Body;
use tower_keep_store::Outcome;
use tower_service::Service;

use crate::{
    fetch::{Pending, tell},
    future::{Led, ResponseFuture},
    http::answer,
    service::Cache,
    shared::State,
};

/// Catches up; then all goes on as for any other request. If the log cannot be read in time, the request
/// passes by.
pub(crate) fn strict<S, ReqBody, ResBody>(
    cache: Cache<S>,
    request: Pending<ReqBody>,
    key: Vec<u8>,
) -> ResponseFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    ReqBody: Body + Send + 'static,
    ResBody: Body + Send + 'static,
    ResBody::Error: Send,
{
    let patience = cache.shared().patience;
    let background = cache.shared().engine.background.clone();
    let work = Box::pin(async move {
        let engine = &cache.shared().engine;
        let found = cache.shared().find(
            key.clone(),
            &request.head.headers,
            &request.lookup.demands,
            engine.present(),
        );
        let absent = matches!(found.state, State::Absent).then_some(found.key);
        let answer = match engine.catch_up(absent).await {
            Ok(ahead) => cache.look_up(request, key, ahead),
            Err(_) if request.lookup.only_if_cached => {
                tell(request.cell.as_ref(), Outcome::Rejected.into());
                ResponseFuture::ready(answer::not_cached(&cache.shared().status))
            }
            Err(_) => {
                let Pending {
                    head, body, cell, ..
                } = request;
                let note = cache.bypass("log-unread", cell);
                cache.pass(Request::from_parts(head, body), note)
            }
        };
        answer.await
    });
    // What is led is led by the future within, which sees to it itself when it is dropped.
    ResponseFuture::running(work, Led::default(), patience, background)
}
