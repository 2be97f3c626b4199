//! The other end of the connection.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Once,
};

use http::Extensions;
use tower_keep_store::PeerAddr;

/// The address that a server has left in a request's extensions.
pub(super) fn address(extensions: &Extensions) -> Option<IpAddr> {
    let peer = extensions
        .get::<PeerAddr>()
        .map(|peer| peer.0)
        .or_else(|| of_axum(extensions))
        .or_else(|| of_tonic(extensions));
    if peer.is_none() {
        SAID.call_once(|| {
            tracing::warn!(
                "no peer address in a request's extensions: keys by client address are missing"
            );
        });
    }
    peer.map(|peer| peer.ip())
}

/// Once in a process: it is an error in how the server was put together, and every request has it.
static SAID: Once = Once::new();

#[cfg(feature = "axum")]
fn of_axum(extensions: &Extensions) -> Option<SocketAddr> {
    use axum::extract::ConnectInfo;

    extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0)
}

#[cfg(not(feature = "axum"))]
fn of_axum(_extensions: &Extensions) -> Option<SocketAddr> {
    None
}

#[cfg(feature = "tonic")]
fn of_tonic(extensions: &Extensions) -> Option<SocketAddr> {
    use tonic::transport::server::TcpConnectInfo;

    extensions.get::<TcpConnectInfo>()?.remote_addr()
}

#[cfg(not(feature = "tonic"))]
fn of_tonic(_extensions: &Extensions) -> Option<SocketAddr> {
    None
}
