//! A client that keeps its cookie, and handlers that are written where they are needed.

use std::{cell::RefCell, convert::Infallible, rc::Rc};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use tower::{ServiceExt, service_fn};
use tower_keep_session::{ResponseBody, Session, SessionError, SessionHandle, SessionLayer};
use tower_layer::Layer;

pub(crate) type Answer = Response<ResponseBody<Full<Bytes>>>;

/// What a handler answers.
pub(crate) type Wire = Response<Full<Bytes>>;

/// Goes to one site, with the cookie that it was given last.
#[derive(Clone)]
pub(crate) struct Browser {
    layer: SessionLayer,
    pub(crate) cookie: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) method: Method,
}

impl Browser {
    pub(crate) fn new(layer: &SessionLayer) -> Self {
        Self {
            layer: layer.clone(),
            cookie: None,
            headers: HeaderMap::new(),
            method: Method::GET,
        }
    }

    /// The same browser at another process of the site.
    pub(crate) fn at(&self, layer: &SessionLayer) -> Self {
        Self {
            layer: layer.clone(),
            ..self.clone()
        }
    }

    /// One request, handled so; what the handler came to, and the answer.
    pub(crate) async fn handled<R>(
        &mut self,
        handler: impl AsyncFnOnce(SessionHandle) -> (R, Wire),
    ) -> (R, Answer) {
        let result = Rc::new(RefCell::new(None));
        let told = result.clone();
        let mut handler = Some(handler);
        let service = service_fn(move |request: Request<()>| {
            let handler = handler.take().expect("one request");
            let told = told.clone();
            async move {
                let handle = SessionHandle::of(request.extensions()).expect("the layer");
                let (result, response) = handler(handle).await;
                told.replace(Some(result));
                Ok::<_, Infallible>(response)
            }
        });
        let service = self.layer.layer(service);
        let answer = service.oneshot(self.request()).await;
        let answer = answer.expect("the layer adds no errors");
        self.obey(&answer);
        let result = result.take().expect("the handler came to its end");
        (result, answer)
    }

    /// One request whose handler looks at the session and answers 200.
    pub(crate) async fn visit<R>(
        &mut self,
        handler: impl AsyncFnOnce(Session) -> R,
    ) -> (R, Answer) {
        self.handled(async |handle| {
            let session = handle.load().await.expect("the store answers");
            (handler(session).await, Wire::default())
        })
        .await
    }

    /// The same, for what the handler came to.
    pub(crate) async fn does<R>(&mut self, handler: impl AsyncFnOnce(Session) -> R) -> R {
        self.visit(handler).await.0
    }

    /// The same, answered with this status.
    pub(crate) async fn fails<R>(
        &mut self,
        status: StatusCode,
        handler: impl AsyncFnOnce(Session) -> R,
    ) -> (R, Answer) {
        self.handled(async |handle| {
            let session = handle.load().await.expect("the store answers");
            let result = handler(session).await;
            let mut response = Wire::default();
            *response.status_mut() = status;
            (result, response)
        })
        .await
    }

    pub(crate) async fn login(&mut self, user: &str) -> Answer {
        let (result, answer) = self
            .visit(async |session| session.login(user, 1).await)
            .await;
        result.expect("logs in");
        answer
    }

    /// Who the site believes this is.
    pub(crate) async fn user(&mut self) -> Option<String> {
        self.does(async |session| session.user()).await
    }

    pub(crate) async fn get(&mut self, name: &str) -> Option<i64> {
        let get = async |session: Session| session.get(name).expect("a number");
        self.does(get).await
    }

    pub(crate) async fn set(&mut self, name: &str, value: i64) -> Answer {
        let set = async |session: Session| session.set(name, &value).expect("is set");
        self.visit(set).await.1
    }

    fn request(&self) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = self.method.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(cookie) = &self.cookie {
            let line = cookie.parse().expect("a cookie");
            request.headers_mut().insert(header::COOKIE, line);
        }
        request
    }

    /// Does with cookies what browsers do.
    fn obey(&mut self, answer: &Answer) {
        let lines = fields(answer, "set-cookie");
        assert!(lines.len() <= 1, "never two: {lines:?}");
        let Some(line) = lines.first() else {
            return;
        };
        let cookie = line.split(';').next().expect("a pair").to_owned();
        self.cookie = (!line.contains("Max-Age=0")).then_some(cookie);
    }
}

/// The lines of a field.
pub(crate) fn fields(answer: &Answer, name: &str) -> Vec<String> {
    let lines = answer.headers().get_all(name).iter();
    let text = lines.map(|line| line.to_str().expect("printable").to_owned());
    text.collect()
}
