//! From options to a running server, or to a measurement.

use std::path::{Path, PathBuf};

use tokio::net::TcpListener;
use tower_keep::{ConnectError, Store};

use crate::{App, Database, Options, StartError, Volume, measure, say, serve};

/// Does what the options ask for.
///
/// # Errors
///
/// When the store's address makes no sense, the database cannot be used, the
/// port is taken, or a measurement found something wrong. A store that does not
/// answer is no error: the application starts and works without it.
pub async fn run(options: Options) -> Result<(), StartError> {
    if options.measure {
        measure(&options).await
    } else {
        serve(&options).await
    }
}

async fn serve(options: &Options) -> Result<(), StartError> {
    let path = options
        .database
        .clone()
        .unwrap_or_else(|| PathBuf::from("dashboard.db"));
    // Bound first: a taken port should not cost the wait for a new database.
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|error| StartError::listen(options.listen, error))?;
    let store = Store::connect(&options.store).map_err(no_store)?;
    let app = App::new(
        open(&path).await?,
        &store,
        options.limits(),
        options.sessions(),
        options.monitoring(),
    )?;
    say(format_args!("database {}", path.display()));
    let address = listener.local_addr().unwrap_or(options.listen);
    say(format_args!("open http://{address}/"));
    let (page, caches) = (app.page(), app.caches());
    let served = serve::serve(listener, app.into_router(), move || page.close()).await;
    caches.shutdown().await;
    served.map_err(|error| StartError::because("the server failed", error))
}

async fn measure(options: &Options) -> Result<(), StartError> {
    // Kept until the end: dropping it deletes the database.
    let directory = tempfile::tempdir()
        .map_err(|error| StartError::because("cannot create a temporary directory", error))?;
    let path = options
        .database
        .clone()
        .unwrap_or_else(|| directory.path().join("dashboard.db"));
    // A namespace of its own: what others left in a shared store is not found.
    let store = Store::builder()
        .namespace(measure::namespace())
        .connect(&options.store)
        .map_err(no_store)?;
    store
        .ping()
        .await
        .map_err(|error| StartError::because("the store must answer to be measured", error))?;
    let database = open(&path).await?;
    let app = App::new(
        database.clone(),
        &store,
        options.limits(),
        options.sessions(),
        options.monitoring(),
    )?;
    let report = measure::measure(app, &database).await?;
    report
        .print(options.json)
        .map_err(|error| StartError::because("cannot print", error))
}

fn no_store(error: ConnectError) -> StartError {
    StartError::because("cannot use the store", error)
}

async fn open(path: &Path) -> Result<Database, StartError> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || {
        App::prepare_model();
        Database::open(&path, &Volume::full())
    })
    .await
    .map_err(|error| StartError::because("opening the database failed", error))?
    .map_err(StartError::from)
}
