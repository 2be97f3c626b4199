//! A network that fails when the test says so.

mod keeper;
mod link;

use std::{net::SocketAddr, time::Duration};

use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use self::{
    keeper::{Keeper, Order},
    link::{Budget, Rules},
};
use crate::{Gate, port::Port};

/// A TCP proxy in front of an address, whose connections the test can cut, hang or refuse.
///
/// Each order has been carried out when its future is ready: after `refuse().await` a connection
/// attempt fails. It runs on the test's runtime and stops when dropped.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    rules: Rules,
    orders: mpsc::UnboundedSender<keeper::Request>,
    task: JoinHandle<()>,
}

impl TcpProxy {
    /// Starts a proxy on a free port of 127.0.0.1 in front of `upstream`.
    pub async fn start(upstream: impl Into<SocketAddr>) -> Self {
        Self::builder(upstream).start().await
    }

    /// A proxy with options.
    #[must_use]
    pub fn builder(upstream: impl Into<SocketAddr>) -> Builder {
        Builder {
            upstream: upstream.into(),
            latency: Duration::ZERO,
        }
    }

    /// The address to connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Closes all connections; new ones are served.
    pub async fn cut(&self) {
        self.order(Order::Cut).await;
    }

    /// Closes the connection on which the `bytes`-th byte from now passes in this direction, right
    /// after that byte: in the middle of whatever is being said. Once; all others go on.
    pub fn cut_after(&self, direction: Direction, bytes: usize) {
        match direction {
            Direction::ToClient => self.rules.to_client.set(bytes),
            Direction::ToServer => self.rules.to_server.set(bytes),
        }
    }

    /// Stops forwarding in both directions; sockets stay open and new ones are accepted.
    pub async fn hang(&self) {
        self.order(Order::Hang).await;
    }

    /// Closes all connections and refuses new ones.
    pub async fn refuse(&self) {
        self.order(Order::Refuse).await;
    }

    /// Forwards again what [`hang`](Self::hang) held, accepts again what
    /// [`refuse`](Self::refuse) refused.
    pub async fn resume(&self) {
        self.order(Order::Resume).await;
    }

    /// Closes all connections; new ones lead to another address, as after a fail-over.
    pub async fn lead_to(&self, upstream: impl Into<SocketAddr>) {
        self.order(Order::LeadTo(upstream.into())).await;
    }

    async fn order(&self, order: Order) {
        let (done, carried_out) = oneshot::channel();
        let sent = self.orders.send((order, done));
        sent.expect("the proxy runs as long as its handle");
        carried_out.await.expect("the proxy carries out its orders");
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How a [`TcpProxy`] is to be started.
#[derive(Clone, Debug)]
pub struct Builder {
    upstream: SocketAddr,
    latency: Duration,
}

impl Builder {
    /// Holds every piece of data for this long before it is forwarded.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Starts the proxy on the current tokio runtime.
    pub async fn start(self) -> TcpProxy {
        let port = Port::reserve();
        let listener = TcpListener::bind(port.address()).await;
        let rules = Rules {
            flow: Gate::opened(),
            latency: self.latency,
            to_client: Budget::default(),
            to_server: Budget::default(),
        };
        let listener = listener.expect("the port is reserved");
        let keeper = Keeper::new(port, listener, self.upstream, rules.clone());
        let (orders, received) = mpsc::unbounded_channel();
        let address = keeper.address();
        let task = tokio::spawn(keeper.run(received));
        TcpProxy {
            address,
            rules,
            orders,
            task,
        }
    }
}

/// A direction through a [`TcpProxy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the server to the client.
    ToClient,
    /// From the client to the server.
    ToServer,
}
