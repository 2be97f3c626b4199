//! A tonic server, and tonic clients of it.

use std::net::SocketAddr;

use http::uri::PathAndQuery;
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    metadata::{Ascii, MetadataValue},
    service::Routes,
    transport::{Channel, Server, server::TcpIncoming},
};
use tower_keep_contract::stacks::Text;
use tower_keep_session::{IdentifyLayer, SessionLayer};

use crate::accounts::Accounts;

/// Where the ticket travels.
pub(crate) const METADATA: &str = "x-session";

/// A server until it is dropped.
pub(crate) struct Site {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Site {
    pub(crate) async fn start(layer: SessionLayer, accounts: Accounts) -> Self {
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

    pub(crate) async fn client(&self) -> Client {
        let endpoint = Channel::from_shared(format!("http://{}", self.address));
        let channel = endpoint.expect("an address is a URI").connect().await;
        Client {
            grpc: Grpc::new(channel.expect("connects")),
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
pub(crate) struct Client {
    grpc: Grpc<Channel>,
    pub(crate) ticket: Option<MetadataValue<Ascii>>,
}

impl Client {
    pub(crate) async fn call(&mut self, method: &str, message: &str) -> Result<String, Status> {
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

    pub(crate) async fn fails(&mut self, method: &str) -> Code {
        let failure = self.call(method, "").await.expect_err("it fails");
        assert!(failure.metadata().get(METADATA).is_none());
        failure.code()
    }

    pub(crate) async fn logged_in(mut self, user: &str) -> Self {
        self.call("Login", user).await.expect("logs in");
        assert!(self.ticket.is_some(), "the response's metadata has it");
        self
    }
}
