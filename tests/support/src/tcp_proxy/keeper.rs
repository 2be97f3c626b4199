use std::net::SocketAddr;

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use super::link::{self, Rules};
use crate::port::Port;

/// What the handle asks of the task that keeps the sockets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    Cut,
    Hang,
    Refuse,
    Resume,
    LeadTo(SocketAddr),
}

/// An order, and where to say that it was carried out.
pub(super) type Request = (Order, oneshot::Sender<()>);

/// Owns the listener and all connections; when its task ends, they end.
#[derive(Debug)]
pub(super) struct Keeper {
    port: Port,
    upstream: SocketAddr,
    rules: Rules,
    listener: Option<TcpListener>,
    links: JoinSet<()>,
}

impl Keeper {
    pub(super) fn new(
        port: Port,
        listener: TcpListener,
        upstream: SocketAddr,
        rules: Rules,
    ) -> Self {
        Self {
            port,
            upstream,
            rules,
            listener: Some(listener),
            links: JoinSet::new(),
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    pub(super) async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Request>) {
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some((order, done)) => {
                        self.obey(order).await;
                        let _ = done.send(());
                    }
                    None => return,
                },
                client = accept(self.listener.as_ref()) => self.link(client),
                Some(_) = self.links.join_next() => {}
            }
        }
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Cut => self.links.shutdown().await,
            Order::Hang => self.rules.flow.close(),
            Order::Refuse => {
                self.listener = None;
                self.links.shutdown().await;
            }
            Order::LeadTo(upstream) => {
                self.upstream = upstream;
                self.links.shutdown().await;
            }
            Order::Resume => {
                self.rules.flow.open();
                self.listen().await;
            }
        }
    }

    async fn listen(&mut self) {
        if self.listener.is_none() {
            let listener = TcpListener::bind(self.port.address()).await;
            self.listener = Some(listener.expect("the port is reserved"));
        }
    }

    fn link(&mut self, client: TcpStream) {
        let carried = link::carry(client, self.upstream, self.rules.clone());
        self.links.spawn(async {
            // A connection that breaks is what this proxy is for.
            let _ = carried.await;
        });
    }
}

/// The next client; never, while the proxy refuses.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    loop {
        if let Ok((client, _)) = listener.accept().await {
            return client;
        }
    }
}
