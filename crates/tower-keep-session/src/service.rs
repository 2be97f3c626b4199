//! The service: a way to the session on the way in, its cookie on the way out.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response, request::Parts};
use http_body::Body;
use tower_keep_store::{PersonalCell, ResponseBody};
use tower_service::Service;

use crate::{
    answer, cookie::Sent, core::Core, future::ResponseFuture, handle::SessionHandle, layer::Shared,
    stats::count, ticket::Ticket,
};

/// What [`SessionLayer`](crate::SessionLayer) makes of a service. Ready when the inner service is.
#[derive(Clone, Debug)]
pub struct SessionManager<S> {
    inner: S,
    shared: Arc<Shared>,
}

/// A request's session, and by which transport it came.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) core: Arc<Core>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) by: usize,
    pub(crate) grpc: Option<&'static str>,
}

impl<S> SessionManager<S> {
    pub(crate) fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for SessionManager<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let visit = visit(&self.shared, &mut head);
        let request = Request::from_parts(head, body);
        ResponseFuture::new(self.inner.call(request), visit)
    }
}

/// Leaves the way to the session in a request.
fn visit(shared: &Arc<Shared>, head: &mut Parts) -> Visit {
    let (ticket, by) = ticket(shared, head);
    let ticket = ticket.map(|ticket| ticket.within(shared.manager.realm));
    let personal = head.extensions.get_or_insert_default::<PersonalCell>();
    let personal = personal.clone();
    let label = shared.labels.of(head);
    let token = shared.token_id.as_ref().and_then(|id| id(head));
    let token = token.map(|id| shared.manager.token(&id));
    let core = Arc::new(Core::new(shared, ticket, token, label, personal));
    head.extensions.insert(SessionHandle::new(core.clone()));
    Visit {
        core,
        shared: shared.clone(),
        by,
        grpc: answer::grpc(&head.method, &head.headers),
    }
}

/// The ticket of a request, and by which transport it came.
fn ticket(shared: &Shared, head: &Parts) -> (Option<Ticket>, usize) {
    for (by, transport) in shared.transports.iter().enumerate() {
        match transport.find(&head.headers) {
            Sent::Nothing => {}
            Sent::Ticket(ticket) => return (Some(ticket), by),
            Sent::Ambiguous => {
                count(&shared.manager.counters.ambiguous);
                return (None, by);
            }
        }
    }
    (None, 0)
}
