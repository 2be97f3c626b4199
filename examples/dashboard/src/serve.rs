//! Serving until told to stop.

use std::{io, net::SocketAddr, time::Duration};

use axum::Router;
use tokio::{net::TcpListener, signal, sync::watch};

/// Serves until SIGINT or SIGTERM, then lets running requests finish. Requests
/// carry the address of their client: the rate limit asks for it. `on_stop` ends what would run for ever.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    on_stop: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let (stop, mut stopped) = watch::channel(false);
    tokio::spawn(async move {
        asked_to_stop().await;
        on_stop();
        let _ = stop.send(true);
    });
    let mut last_call = stopped.clone();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    });
    tokio::select! {
        served = server => served,
        () = async {
            let _ = last_call.wait_for(|stop| *stop).await;
            tokio::time::sleep(PATIENCE).await;
        } => Ok(()),
    }
}

async fn asked_to_stop() {
    let interrupt = async {
        if signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupt => {},
        () = terminated() => {},
    }
}

#[cfg(unix)]
async fn terminated() {
    match signal::unix::signal(signal::unix::SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}

/// How long running requests may take to finish: a client that never reads its
/// answer must not keep the process alive.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };

    use axum::{extract::ConnectInfo, routing::get};

    use super::*;

    #[tokio::test]
    async fn requests_carry_the_address_of_their_client() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let who = async |ConnectInfo(client): ConnectInfo<SocketAddr>| client.to_string();
        tokio::spawn(serve(listener, Router::new().route("/", get(who)), || {}));
        let (said, client) = tokio::task::spawn_blocking(move || ask(address))
            .await
            .unwrap();
        assert!(said.ends_with(&client.to_string()), "{said}");
    }

    fn ask(address: SocketAddr) -> (String, SocketAddr) {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        (said, stream.local_addr().unwrap())
    }
}
