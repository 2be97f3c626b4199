//! A connection like the store's own.

use redis::{
    AsyncConnectionConfig, Client, ProtocolVersion, aio::MultiplexedConnection,
    io::tcp::TcpSettings,
};
use tower_keep_test_support::RedisServer;

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
