//! One of the stores, with the layer under test.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use tower::{Service, ServiceExt};
use tower_keep_rate_limit::{
    RateLimit, RateLimitHandle, RateLimitStats, RateLimitStatus, ResponseBody, Subject,
};
use tower_keep_store::{Clock, Store};
use tower_layer::Layer;

use crate::{
    operation::Ask,
    plan::{Plan, identity, text},
    spec::Spec,
    told::{Line, Told},
};

type Answer = Response<ResponseBody<Full<Bytes>>>;

pub(crate) struct Side {
    pub(crate) name: &'static str,
    pub(crate) clock: Clock,
    service: RateLimit<Echo>,
    handle: RateLimitHandle,
    plan: Plan,
    under_way: Vec<UnderWay>,
    read: Vec<Answer>,
}

/// A request whose response has not come yet.
struct UnderWay {
    answer: JoinHandle<Answer>,
    gate: Gate,
}

/// Holds a request within the handler.
#[derive(Clone)]
struct Gate {
    arrived: mpsc::UnboundedSender<RateLimitStatus>,
    open: Arc<Notify>,
}

impl Side {
    pub(crate) fn new(name: &'static str, store: Store, plan: &Plan) -> Self {
        let clock = store.clock().clone();
        let layer = plan.layer(store);
        Self {
            name,
            clock,
            service: layer.layer(Echo),
            handle: layer.handle(),
            plan: plan.clone(),
            under_way: Vec::new(),
            read: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.now().as_micros()
    }

    /// The clock's hands are a number that wraps around.
    pub(crate) fn step(&self, by: i64) {
        let by = u64::from_ne_bytes(by.to_ne_bytes());
        self.clock.advance(Duration::from_micros(by));
    }

    /// A request whose body stays unread.
    pub(crate) async fn ask(&mut self, ask: &Ask) -> Told {
        let answer = self.service.clone().oneshot(request(ask)).await;
        let answer = answer.expect("nothing fails");
        let told = Told::response(&answer);
        if told.refusal.is_none() {
            self.read.push(answer);
        }
        told
    }

    /// A request whose response does not come yet.
    pub(crate) async fn begin(&mut self, ask: &Ask) -> Told {
        let (arrived, mut arrives) = mpsc::unbounded_channel();
        let open = Arc::new(Notify::new());
        let gate = Gate { arrived, open };
        let mut request = request(ask);
        request.extensions_mut().insert(gate.clone());
        let call = self.service.clone().oneshot(request);
        let mut answer = tokio::spawn(async move { call.await.expect("nothing fails") });
        tokio::select! {
            status = arrives.recv() => {
                self.under_way.push(UnderWay { answer, gate });
                Told::status(&status.expect("the gate is still there"))
            }
            refusal = &mut answer => Told::response(&refusal.expect("nothing panics")),
        }
    }

    pub(crate) async fn answer(&mut self, place: usize) -> Told {
        let UnderWay { answer, gate } = self.under_way.swap_remove(place);
        gate.open.notify_one();
        let answer = answer.await.expect("nothing panics");
        let told = Told::response(&answer);
        self.read.push(answer);
        told
    }

    pub(crate) fn end(&mut self, place: usize) {
        self.read.swap_remove(place);
    }

    pub(crate) async fn peek(&self, policy: usize, key: u8) -> Line {
        let (name, subject) = self.bucket(policy, key);
        let status = self.handle.peek(name, &subject).await;
        Line::of(&status.expect("answers"))
    }

    pub(crate) async fn take(&self, policy: usize, key: u8, at_most: u32) -> u32 {
        let (name, subject) = self.bucket(policy, key);
        let taken = self.handle.take(name, &subject, at_most).await;
        taken.expect("answers")
    }

    pub(crate) async fn reset(&self, policy: usize, key: u8) {
        let (name, subject) = self.bucket(policy, key);
        self.handle.reset(name, &subject).await.expect("answers");
    }

    pub(crate) async fn ban(&self, policy: usize, key: u8, length: u64) {
        let (name, subject) = self.bucket(policy, key);
        let length = Duration::from_micros(length);
        let banned = self.handle.ban(name, &subject, length).await;
        banned.expect("answers");
    }

    pub(crate) async fn unban(&self, policy: usize, key: u8) {
        let (name, subject) = self.bucket(policy, key);
        self.handle.unban(name, &subject).await.expect("answers");
    }

    pub(crate) async fn adjust(&self, policy: usize, key: u8, spec: Option<Spec>) {
        let (name, subject) = self.bucket(policy, key);
        let quota = spec.map(Spec::quota);
        let adjusted = self.handle.adjust(name, &subject, quota, FOR_EVER).await;
        adjusted.expect("answers");
    }

    pub(crate) fn stats(&self) -> RateLimitStats {
        self.handle.stats()
    }

    fn bucket(&self, policy: usize, key: u8) -> (&str, Subject) {
        let policy = &self.plan.policies[policy];
        (&policy.name, policy.by.subject(key))
    }
}

fn request(ask: &Ask) -> Request<Full<Bytes>> {
    Request::builder()
        .header("x-key", text(ask.key))
        .extension(identity(ask.key))
        .extension(Arc::new(ask.clone()))
        .body(Full::default())
        .expect("a valid request")
}

/// Leaves in the response what it found in the request, and answers when it may.
#[derive(Clone, Debug)]
struct Echo;

impl Service<Request<Full<Bytes>>> for Echo {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Full<Bytes>>) -> Self::Future {
        let extensions = request.extensions_mut();
        let ask = extensions.remove::<Arc<Ask>>();
        let status = extensions.remove::<RateLimitStatus>();
        let gate = extensions.remove::<Gate>();
        Box::pin(async move {
            let status = status.expect("the layer leaves it there");
            if let Some(gate) = gate {
                _ = gate.arrived.send(status.clone());
                gate.open.notified().await;
            }
            let mut response = Response::new(Full::from("ok"));
            response.extensions_mut().insert(status);
            response
                .extensions_mut()
                .extend(ask.map(with).unwrap_or_default());
            Ok(response)
        })
    }
}

fn with(ask: Arc<Ask>) -> http::Extensions {
    let mut extensions = http::Extensions::new();
    extensions.insert(ask);
    extensions
}

const FOR_EVER: Duration = Duration::from_secs(10_000 * 86_400);
