//! Stores on a server, and a connection like their own.

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, ProtocolVersion, aio::MultiplexedConnection,
    io::tcp::TcpSettings,
};
use tower_keep_store::Store;
use tower_keep_test_support::{RedisServer, eventually};

/// A store on the server that follows its log.
///
/// # Panics
///
/// If the server does not answer.
pub async fn store_on(server: &RedisServer) -> Store {
    let store = Store::builder().deadline(PATIENCE).connect(&server.url());
    let store = store.expect("a good URL");
    eventually(PATIENCE, async || store.log().is_current()).await;
    store
}

/// As the store's own connections, without pool, deadline and breaker.
pub(crate) async fn connect(server: &RedisServer) -> MultiplexedConnection {
    let client = Client::open(server.url()).expect("a good URL");
    let info = client.get_connection_info().clone();
    let settings = info
        .redis_settings()
        .clone()
        .set_protocol(ProtocolVersion::RESP3);
    let info = info
        .set_tcp_settings(TcpSettings::default().set_nodelay(true))
        .set_redis_settings(settings);
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    Client::open(info)
        .expect("the same URL")
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .expect("a server that accepts")
}

/// Generous: a time-out would be measured as an answer without the server.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
