use std::{future::Future, net::SocketAddr};

use tokio::{net::TcpListener, task::JoinHandle};

/// A server on a free port of 127.0.0.1, stopped on drop.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start<F>(serve: impl FnOnce(TcpListener) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("the loopback interface has a free port");
        let address = listener
            .local_addr()
            .expect("a bound listener has an address");
        Self {
            address,
            task: tokio::spawn(serve(listener)),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
