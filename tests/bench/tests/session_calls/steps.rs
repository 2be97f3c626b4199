//! What the handlers do: the same with both libraries.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Response, header::COOKIE};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_keep_bench::Request;
use tower_keep_session::{SessionHandle, SessionLayer};
use tower_sessions::{Session, SessionManagerLayer, SessionStore};

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Untouched,
    /// Three fields.
    Read,
    Write,
    Login,
    Rotate,
    Logout,
}

pub(crate) async fn ours(layer: &SessionLayer, step: Step, request: Request) {
    let mut service = layer.layer(service_fn(async |request: Request| {
        if matches!(step, Step::Untouched) {
            return Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()));
        }
        let handle = SessionHandle::of(request.extensions()).expect("the layer");
        let session = handle.load().await.expect("the store answers");
        // A user for each client: who has many sessions pays for those.
        let user = format!("{:?}", request.headers().get(COOKIE));
        match step {
            Step::Untouched => {}
            Step::Read => {
                let _theme: Option<String> = session.get("theme").expect("a word");
                let _visits: Option<u64> = session.get("visits").expect("a number");
                let _items: Option<Vec<u64>> = session.get("items").expect("numbers");
            }
            Step::Write => session.set("theme", &"light").expect("is set"),
            Step::Login => session.login(user, 1).await.expect("logs in"),
            Step::Rotate => session.rotate().await.expect("rotates"),
            Step::Logout => session.logout().await.expect("logs out"),
        }
        Ok(Response::new(Full::default()))
    }));
    let answer = service.call(request).await.expect("an answer");
    assert_eq!(answer.status(), 200);
}

pub(crate) async fn theirs<S>(layer: &SessionManagerLayer<S>, step: Step, request: Request)
where
    S: SessionStore + Clone,
{
    let mut service = layer.layer(service_fn(move |request: Request| async move {
        let session = request.extensions().get::<Session>();
        let session = session.expect("the layer");
        match step {
            Step::Untouched => {}
            Step::Read => {
                let _theme: Option<String> = session.get("theme").await.expect("a word");
                let _visits: Option<u64> = session.get("visits").await.expect("a number");
                let _items: Option<Vec<u64>> = session.get("items").await.expect("numbers");
            }
            Step::Write => session.insert("theme", "light").await.expect("is set"),
            Step::Login => {
                session.insert("user", "grace").await.expect("is set");
                session.cycle_id().await.expect("rotates");
            }
            Step::Rotate => session.cycle_id().await.expect("rotates"),
            Step::Logout => session.flush().await.expect("logs out"),
        }
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let answer = service.call(request).await.expect("an answer");
    assert_eq!(answer.status(), 200);
}
