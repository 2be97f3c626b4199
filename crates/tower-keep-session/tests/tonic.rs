//! A tonic server and a tonic client: the ticket travels in metadata.

mod common;

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, BufMut};
use common::Side;
use http::{HeaderName, StatusCode, uri::PathAndQuery};
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::{
    Code, Request, Response, Status,
    body::Body,
    client,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::{Ascii, MetadataValue},
    server::{self, NamedService},
    service::Routes,
    transport::{Channel, Server, server::TcpIncoming},
};
use tower::{Service, service_fn};
use tower_keep_session::{
    IdentifyLayer, Session, SessionError, SessionHandle, SessionLayer, Transport,
};
use tower_keep_store::{Identity, Store};
use tower_keep_test_support::{RedisServer, eventually};

const METADATA: &str = "x-session";

/// `test.Accounts`, written by hand: no code generator, no message library.
#[derive(Clone, Debug, Default)]
struct Accounts {
    /// Killed by the method that asks for it.
    server: Option<Arc<std::sync::Mutex<RedisServer>>>,
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
            Ok(server::Grpc::new(Text).unary(handler, request).await)
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
                return Err(SessionError::Contended);
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

fn status(error: &SessionError) -> Status {
    let code = match error.status() {
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        _ => Code::Internal,
    };
    Status::new(code, error.to_string())
}

/// A server until it is dropped.
struct Site {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Site {
    async fn start(layer: SessionLayer, accounts: Accounts) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("the loopback interface has a free port");
        let address = listener.local_addr().expect("it has an address");
        let mut server = Server::builder().layer(layer).layer(IdentifyLayer::new());
        let server = server.add_routes(Routes::new(accounts));
        let task = tokio::spawn(async move {
            let served = server.serve_with_incoming(TcpIncoming::from(listener));
            served.await.expect("it serves");
        });
        Self { address, task }
    }

    async fn client(&self) -> Client {
        let endpoint = Channel::from_shared(format!("http://{}", self.address));
        let channel = endpoint.expect("an address is a URI").connect().await;
        Client {
            grpc: client::Grpc::new(channel.expect("connects")),
            ticket: None,
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client that sends the ticket that it was told last.
#[derive(Clone)]
struct Client {
    grpc: client::Grpc<Channel>,
    ticket: Option<MetadataValue<Ascii>>,
}

impl Client {
    async fn call(&mut self, method: &str, message: &str) -> Result<String, Status> {
        self.grpc.ready().await.expect("the channel is open");
        let mut request = Request::new(message.to_owned());
        if let Some(ticket) = &self.ticket {
            request.metadata_mut().insert(METADATA, ticket.clone());
        }
        let path = PathAndQuery::try_from(format!("/test.Accounts/{method}"));
        let answer = self
            .grpc
            .unary(request, path.expect("a path"), Text)
            .await?;
        if let Some(ticket) = answer.metadata().get(METADATA) {
            self.ticket = Some(ticket.clone()).filter(|ticket| !ticket.is_empty());
        }
        Ok(answer.into_inner())
    }

    async fn fails(&mut self, method: &str) -> Code {
        let failure = self.call(method, "").await.expect_err("it fails");
        assert!(failure.metadata().get(METADATA).is_none());
        failure.code()
    }

    async fn logged_in(mut self, user: &str) -> Self {
        self.call("Login", user).await.expect("logs in");
        assert!(self.ticket.is_some(), "the response's metadata has it");
        self
    }
}

fn layer(store: Store) -> SessionLayer {
    let field = Transport::Header(HeaderName::from_static(METADATA));
    let builder = SessionLayer::builder(store).transport(field);
    builder.build().expect("makes sense")
}

async fn site(side: &Side) -> Site {
    Site::start(layer(side.store()), Accounts::default()).await
}

async fn who_logs_in_is_known_by_the_ticket_until_they_log_out(side: Side) {
    let site = site(&side).await;
    let mut client = site.client().await;
    assert_eq!(client.fails("Who").await, Code::Unauthenticated);
    let mut client = client.logged_in("ada").await;
    assert_eq!(client.call("Who", "").await.expect("somebody"), "ada");
    assert_eq!(client.call("Identity", "").await.expect("answers"), "true");
    let mut copy = client.clone();
    client.call("Logout", "").await.expect("logs out");
    assert!(client.ticket.is_none(), "told to forget it");
    assert_eq!(client.fails("Who").await, Code::Unauthenticated);
    assert_eq!(copy.fails("Who").await, Code::Unauthenticated);
    assert_eq!(copy.call("Identity", "").await.expect("answers"), "false");
}

async fn a_rotation_and_a_login_tell_new_tickets(side: Side) {
    let site = site(&side).await;
    let mut client = site.client().await.logged_in("ada").await;
    client.call("Note", "kept").await.expect("is noted");
    let first = client.clone();
    client.call("Rotate", "").await.expect("rotates");
    assert_ne!(client.ticket, first.ticket);
    assert_eq!(client.call("Read", "").await.expect("reads"), "kept");
    let mut planted = client.clone();
    let mut client = client.logged_in("ada").await;
    assert_eq!(client.call("Read", "").await.expect("reads"), "kept");
    assert_eq!(planted.fails("Who").await, Code::Unauthenticated);
}

async fn a_call_that_fails_changes_nothing(side: Side) {
    let site = site(&side).await;
    let mut client = site.client().await.logged_in("ada").await;
    client.call("Note", "kept").await.expect("is noted");
    assert_eq!(client.fails("NoteAndFail").await, Code::Internal);
    assert_eq!(client.call("Read", "").await.expect("reads"), "kept");
}

async fn what_is_no_ticket_is_nobody(side: Side) {
    let site = site(&side).await;
    let mut client = site.client().await;
    for ticket in ["garbage", &"A".repeat(43), &"A".repeat(4000)] {
        client.ticket = Some(ticket.parse().expect("ASCII"));
        assert_eq!(client.fails("Who").await, Code::Unauthenticated);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_down_is_unavailable_and_comes_back() {
    let server = RedisServer::builder().args(["--appendonly", "yes"]).start();
    let store = Store::builder().deadline(Duration::from_millis(200));
    let store = store.connect(&server.url()).expect("a good URL");
    let server = Arc::new(std::sync::Mutex::new(server));
    let accounts = Accounts {
        server: Some(server.clone()),
    };
    let site = Site::start(layer(store), accounts).await;
    let mut client = site.client().await.logged_in("ada").await;
    // Killed in the middle of a call: what it noted cannot be stored, and the layer says so.
    assert_eq!(client.fails("NoteAndKill").await, Code::Unavailable);
    for _ in 0..3 {
        assert_eq!(client.fails("Who").await, Code::Unavailable);
    }
    server.lock().expect("nobody panics").restart();
    eventually(common::LONG, async || {
        let who = client.clone().call("Who", "").await;
        who.is_ok_and(|who| who == "ada")
    })
    .await;
}

/// Messages are plain text.
#[derive(Clone, Copy, Debug)]
struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, text: String, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(text.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        let text = String::from_utf8(bytes.into());
        text.map(Some)
            .map_err(|_| Status::internal("the message is not text"))
    }
}

common::on_both_stores!(
    who_logs_in_is_known_by_the_ticket_until_they_log_out,
    a_rotation_and_a_login_tell_new_tickets,
    a_call_that_fails_changes_nothing,
    what_is_no_ticket_is_nobody,
);
