//! `--measure`: what the cache is worth, over real HTTP.
//!
//! The application runs on a free port; one client on one kept-alive connection
//! asks for each page without the cache, then from it. A figure counts only if
//! the responses say that they were what they are reported as, and if both ways
//! gave the same bytes.

mod client;
mod probe;
mod report;

use std::{process, time::SystemTime};

use tokio::net::TcpListener;

use self::{client::Client, report::Report};
use crate::{App, Caller, Database, StartError, serve};

/// Measures every endpoint of `app`.
pub(crate) async fn measure(app: App, database: &Database) -> Result<Report, StartError> {
    let failed = |error| StartError::because("cannot listen for the measurement", error);
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let server = tokio::spawn(serve::serve(listener, app.into_router(), || {}));
    let report = endpoints(Client::connect(address).await?, database).await;
    server.abort();
    report
}

async fn endpoints(mut client: Client, database: &Database) -> Result<Report, StartError> {
    let mut report = Report::default();
    for page in probe::PAGES {
        report.add(page.measure(&mut client).await?);
    }
    let caller = Caller::new(database, 1, probe::DELIVERIES).await?;
    report.add(probe::webhook(&mut client, caller).await?);
    Ok(report)
}

/// A namespace that no earlier measurement used.
pub(crate) fn namespace() -> String {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("measure-{:x}-{:x}", now.as_nanos(), process::id())
}
