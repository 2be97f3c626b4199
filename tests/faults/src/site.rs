use std::net::SocketAddr;

use dashboard::{App, Limits, Monitoring, Sessions};
use tokio::{net::TcpListener, task::JoinHandle};
use tower_keep::Store;

use crate::{Client, Hiring};

/// The application, served in this process.
#[derive(Debug)]
pub struct Site {
    address: SocketAddr,
    store: Store,
    server: JoinHandle<()>,
}

impl Site {
    /// Serves the application on this database and store, on a free port.
    ///
    /// # Panics
    ///
    /// If the application does not start.
    pub async fn start(hiring: &Hiring, store: Store) -> Self {
        let database = tokio::task::block_in_place(|| hiring.open());
        let app = App::new(
            database,
            &store,
            Limits::NONE_REACHES,
            Sessions::default(),
            Monitoring::default(),
        )
        .expect("good options");
        let router = app.into_router();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let server = tokio::spawn(async move {
            let served = axum::serve(listener, service).await;
            served.expect("a server that goes on");
        });
        Self {
            address,
            store,
            server,
        }
    }

    /// Serves it on the Redis at this URL, with the defaults.
    ///
    /// # Panics
    ///
    /// If the application does not start.
    pub async fn on(hiring: &Hiring, url: &str) -> Self {
        Self::start(hiring, Store::connect(url).expect("a good URL")).await
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// A new client of it.
    pub async fn client(&self) -> Client {
        Client::connect(self.address).await
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}
