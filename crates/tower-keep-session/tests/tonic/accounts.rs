//! A service of gRPC, written by hand: no code generator.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use tonic::{
    Request, Response, Status,
    body::Body,
    server::{Grpc, NamedService},
};
use tower::{Service, service_fn};
use tower_keep_contract::stacks::Text;
use tower_keep_session::{Session, SessionError, SessionHandle};
use tower_keep_store::Identity;
use tower_keep_test_support::RedisServer;

/// `test.Accounts`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    /// Killed by the method that asks for it.
    pub(crate) server: Option<Arc<Mutex<RedisServer>>>,
}

impl NamedService for Accounts {
    const NAME: &'static str = "test.Accounts";
}

impl Service<http::Request<Body>> for Accounts {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let myself = self.clone();
        Box::pin(async move {
            let method = request.uri().path().rsplit('/').next();
            let method = method.unwrap_or_default().to_owned();
            let handler = service_fn(move |request| {
                let (myself, method) = (myself.clone(), method.clone());
                async move { myself.answer(&method, request).await }
            });
            Ok(Grpc::new(Text).unary(handler, request).await)
        })
    }
}

impl Accounts {
    async fn answer(
        &self,
        method: &str,
        request: Request<String>,
    ) -> Result<Response<String>, Status> {
        if method == "Identity" {
            let identity = request.extensions().get::<Identity>();
            return Ok(Response::new(identity.is_some().to_string()));
        }
        let session = session(&request).await.map_err(|error| status(&error))?;
        let answer = self.with(method, &session, request.into_inner()).await;
        Ok(Response::new(answer.map_err(|error| status(&error))?))
    }

    async fn with(
        &self,
        method: &str,
        session: &Session,
        message: String,
    ) -> Result<String, SessionError> {
        match method {
            "Login" => session.login(message, 1).await?,
            "Logout" => session.logout().await?,
            "Rotate" => session.rotate().await?,
            "Note" => session.set("note", &message)?,
            "NoteAndFail" => {
                session.set("note", &message)?;
                return Err(SessionError::NotANumber);
            }
            "NoteAndKill" => {
                session.set("note", &message)?;
                let server = self.server.as_ref().expect("one to kill");
                server.lock().expect("nobody panics").kill();
            }
            "Read" => return Ok(session.get("note")?.unwrap_or_default()),
            _ => return session.user().ok_or(SessionError::Anonymous),
        }
        Ok(String::new())
    }
}

async fn session(request: &Request<String>) -> Result<Session, SessionError> {
    SessionHandle::of(request.extensions())?.load().await
}

pub(crate) fn status(error: &SessionError) -> Status {
    Status::new(error.grpc_code().into(), error.to_string())
}
