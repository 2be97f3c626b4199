//! Requests that change something (RFC 9111 §4.4).

use std::{future::poll_fn, sync::Arc};

use http::{
    HeaderMap, Request, Response, StatusCode,
    header::{CONTENT_LOCATION, CONTENT_TYPE, LOCATION},
    request::Parts,
};
use http_body::Body;
use tower_keep_store::{OutcomeCell, Target};
use tower_service::Service;
use url::Url;

use crate::{
    body::ResponseBody,
    engine::change::Change,
    fetch::{calls_origin, tell},
    future::{Led, ResponseFuture, passed},
    http::{
        groups::{CACHE_GROUP_INVALIDATION, groups},
        key::{authorities, authority, without_own_port},
        labels::hide,
        status::{Forward, Report},
    },
    nesting::Within,
    posted::Posted,
    shared::Shared,
    tee::Tee,
};

/// Sends the request on; unless it is refused, what is stored for its URI, and for those that the
/// response names, is invalidated before the client hears of the change.
pub(crate) fn invalidating<S, ReqBody, ResBody>(
    shared: Arc<Shared>,
    mut inner: S,
    request: Request<ReqBody>,
    cell: Option<OutcomeCell>,
) -> ResponseFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    ReqBody: Send + 'static,
    ResBody: Body + Send + 'static,
    ResBody::Error: Send,
{
    let (mut head, body) = request.into_parts();
    let targets = shared.keys.targets(&head);
    let base = base(&head);
    let hosts: Vec<Box<[u8]>> = authorities(&head).into_iter().map(Into::into).collect();
    let posted = Posted::begins(&shared, &mut head, base.as_ref());
    let patience = shared.patience;
    let background = shared.engine.background.clone();
    Within::enter(&shared.engine, &mut head.extensions);
    let request = Request::from_parts(head, body);
    let work = async move {
        poll_fn(|cx| inner.poll_ready(cx)).await?;
        // From here on the request may do its work, whatever becomes of its answer.
        let mut change = Change::begins(shared.engine.store().clone(), targets);
        calls_origin(cell.as_ref());
        let result = inner.call(request).await;
        tell(cell.as_ref(), passed(&result).into());
        let base = base.as_ref().zip(hosts.first().map(AsRef::as_ref));
        judge(&mut change, &shared, result.as_ref().ok(), base);
        let headers = result.as_ref().ok().map(Response::headers);
        change.concerns(headers.into_iter().flat_map(|it| named_groups(it, &hosts)));
        let written = change.ends().await;
        let (head, body) = result?.into_parts();
        let fill = posted
            .zip(written.ok())
            .and_then(|(posted, at)| posted.fill(&shared, at, &head));
        let report = Report::Forward {
            why: Forward::Method,
            stored: fill.is_some(),
            detail: None,
        };
        let body = match fill {
            Some(fill) => ResponseBody::storing(Tee::new(body, fill)),
            None => ResponseBody::passing(body),
        };
        let mut response = Response::from_parts(head, body);
        hide(&shared.hidden, response.headers_mut());
        shared.status.write(report, response.headers_mut());
        Ok(response)
    };
    ResponseFuture::running(Box::pin(work), Led::default(), patience, background)
}

/// What the answer says of the change: that none was made, or what else it concerns. No answer says
/// nothing: a time-out may have come after the commit.
fn judge<B>(
    change: &mut Change,
    shared: &Shared,
    answer: Option<&Response<B>>,
    base: Option<(&Url, &[u8])>,
) {
    match answer {
        Some(answer) if is_refusal(answer.status(), shared) || is_grpc(answer.headers()) => {
            change.dismiss();
        }
        Some(answer) if !answer.status().is_server_error() => {
            change.concerns(named_targets(shared, answer.headers(), base));
        }
        _ => {}
    }
}

/// RFC 9111 §4.4: "a "non-error response" is one with a 2xx (Successful) or 3xx (Redirection) status code".
fn is_refusal(status: StatusCode, shared: &Shared) -> bool {
    let trusts_server_errors = shared.storing.policy.trusts_server_errors;
    status.is_client_error() || trusts_server_errors && status.is_server_error()
}

/// The request's URI, for what the response names relative to it.
fn base(request: &Parts) -> Option<Url> {
    let host = without_own_port(authority(request)?);
    let host = str::from_utf8(host).ok()?;
    if host.contains(['/', '\\', '?', '#']) {
        return None;
    }
    let mut uri = Url::parse(&format!("http://{host}")).ok()?;
    // Not joined: a path that begins with two slashes would name another host.
    uri.set_path(request.uri.path());
    Some(uri)
}

/// The URIs of this host, as the request names it, that the response says were made or changed.
fn named_targets(shared: &Shared, headers: &HeaderMap, base: Option<(&Url, &[u8])>) -> Vec<Target> {
    let Some((base, host)) = base else {
        return Vec::new();
    };
    let is_ours = |url: &Url| url.host() == base.host() && url.port() == base.port();
    [LOCATION, CONTENT_LOCATION]
        .into_iter()
        .filter_map(|name| base.join(headers.get(name)?.to_str().ok()?).ok())
        .filter(is_ours)
        .filter_map(|url| {
            let uri = url[url::Position::BeforePath..url::Position::AfterQuery]
                .parse()
                .ok()?;
            Some(shared.keys.target_of(&uri, host))
        })
        .collect()
}

/// The groups of this host that the response says were changed, whatever its status says of the change
/// (RFC 9875 §3). A field that nobody can read is none.
fn named_groups(headers: &HeaderMap, hosts: &[Box<[u8]>]) -> Vec<Target> {
    let of = |host: &[u8]| groups(headers, &CACHE_GROUP_INVALIDATION, host);
    let named: Result<Vec<_>, _> = hosts.iter().map(|host| of(host)).collect();
    if named.is_err() {
        tracing::warn!("a Cache-Group-Invalidation field is no list of strings: ignored");
    }
    named.unwrap_or_default().concat()
}

/// gRPC says nothing by its method, and a record for every call would be the larger harm. The answer says
/// whether it is that: the request would only claim it.
fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}
