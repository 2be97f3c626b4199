//! Serves the people of a PostgreSQL database.

use std::{net::SocketAddr, time::Duration};

use clap::Parser;
use tokio::net::TcpListener;
use tokio_postgres::Config;
use tower_keep::Store;

/// Pages that follow a PostgreSQL database, whoever writes to it.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Options {
    /// Where the people are
    #[arg(long, default_value = "host=localhost user=postgres dbname=postgres")]
    database: Config,

    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3001")]
    listen: SocketAddr,

    /// Where cached responses live: memory:, redis://host:port or unix:/path
    #[arg(long, value_name = "URL", default_value = "memory:")]
    store: String,

    /// Seconds for which pages may be served that are older than the database, while it cannot be heard
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    bound: u16,
}

#[tokio::main]
async fn main() -> Result<(), postgres_events::StartError> {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .init();
    let options = Options::parse();
    let store = Store::connect(&options.store)?;
    let bound = Duration::from_secs(options.bound.into());
    let (database, listen) = (options.database.clone(), options.database);
    let app = postgres_events::app(database, listen, bound, &store).await?;
    axum::serve(TcpListener::bind(options.listen).await?, app).await?;
    Ok(())
}
