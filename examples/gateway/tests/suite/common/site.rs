use std::net::SocketAddr;

use gateway::{Config, Gateway};
use tokio::{sync::oneshot, task::JoinHandle};
use tower_keep::CacheHandle;

use super::{Origin, Reply, ask};

/// A gateway and what it stands in front of.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) cache: CacheHandle,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
}

impl Site {
    /// In front of an origin, with what else is configured.
    pub(crate) async fn new(origin: &Origin, config: &str) -> Self {
        Self::at(origin.address, config).await
    }

    pub(crate) async fn at(origin: SocketAddr, config: &str) -> Self {
        Self::before(format!("http://{origin}"), config).await
    }

    /// In front of one that speaks TLS.
    pub(crate) async fn secure(origin: SocketAddr, config: &str) -> Self {
        Self::before(format!("https://{origin}"), config).await
    }

    pub(crate) async fn before(origin: String, config: &str) -> Self {
        let text = format!("access_log = false\n{config}");
        let mut config = Config::parse(&text).expect("a configuration");
        if config.listen == Config::default().listen {
            config.listen.set_port(0);
        }
        config.origin = Some(origin);
        let gateway = Gateway::bind(config).await.expect("a gateway");
        let (stop, stopped) = oneshot::channel();
        Self {
            address: gateway.address(),
            admin: gateway.admin_address(),
            cache: gateway.cache(),
            stop: Some(stop),
            running: Some(tokio::spawn(gateway.run(async {
                let _ = stopped.await;
            }))),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, fields: &[&str]) -> Reply {
        ask(self.address, &format!("GET {path}"), fields).await
    }

    /// Tells it to stop.
    pub(crate) fn stop(&mut self) -> JoinHandle<()> {
        drop(self.stop.take());
        self.running
            .take()
            .expect("it runs until it is stopped once")
    }
}
