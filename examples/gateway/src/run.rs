//! From the command line to the end.

use tokio::signal;

use crate::{cli::Options, error::StartError, gateway::Gateway, say};

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
///
/// The gateway could not start.
pub async fn run(options: Options) -> Result<(), StartError> {
    let gateway = Gateway::bind(options.into_config()?).await?;
    say(format_args!("listening on http://{}/", gateway.address()));
    if let Some(address) = gateway.admin_address() {
        say(format_args!("admin on http://{address}/"));
    }
    gateway.run(asked_to_stop()).await;
    Ok(())
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
