//! Whether a cache is in use.

use tokio::sync::watch;

/// Tells those who do not keep the cache alive when it is gone: with this, that is.
#[derive(Debug, Default)]
pub(super) struct Alive(watch::Sender<()>);

impl Alive {
    pub(super) fn ends(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut alive = self.0.subscribe();
        async move { while alive.changed().await.is_ok() {} }
    }
}
