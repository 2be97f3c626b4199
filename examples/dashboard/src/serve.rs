//! Serving until told to stop.

use std::{io, time::Duration};

use axum::Router;
use tokio::{net::TcpListener, signal, sync::watch};

/// Serves until SIGINT or SIGTERM, then lets running requests finish.
pub(crate) async fn serve(listener: TcpListener, router: Router) -> io::Result<()> {
    let (stop, mut stopped) = watch::channel(false);
    tokio::spawn(async move {
        asked_to_stop().await;
        let _ = stop.send(true);
    });
    let mut last_call = stopped.clone();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move {
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
