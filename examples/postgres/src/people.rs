//! The tables, and the statements of the application.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::Mutex;
use tokio_postgres::{Client, Config, Error, NoTls, Row};

/// A connection to the tables, made again when it has ended.
#[derive(Clone)]
pub(crate) struct People {
    config: Config,
    client: Arc<Mutex<Option<Arc<Client>>>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Person {
    id: i64,
    name: String,
    team: String,
}

impl People {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            client: Arc::default(),
        }
    }

    /// Creates what is not there yet, in one transaction. (In an application of its own this is a migration: to
    /// replace a trigger, a table is locked for a moment.)
    pub(crate) async fn prepare(&self) -> Result<(), Error> {
        let client = self.client().await?;
        client
            .batch_execute(&format!("{ONE_AT_A_TIME} {TELL_CHANGES} {TABLES}"))
            .await
    }

    pub(crate) async fn person(&self, id: i64) -> Result<Option<Person>, Error> {
        let client = self.client().await?;
        let found = client
            .query_opt("SELECT * FROM people WHERE id = $1", &[&id])
            .await?;
        Ok(found.as_ref().map(Person::from))
    }

    pub(crate) async fn team(&self, name: &str) -> Result<Vec<Person>, Error> {
        let client = self.client().await?;
        let found = client
            .query("SELECT * FROM people WHERE team = $1 ORDER BY id", &[&name])
            .await?;
        Ok(found.iter().map(Person::from).collect())
    }

    /// Returns the team of the person, if there is one.
    pub(crate) async fn rename(&self, id: i64, name: &str) -> Result<Option<String>, Error> {
        let client = self.client().await?;
        let renamed = client.query_opt(RENAME, &[&id, &name]).await?;
        Ok(renamed.map(|row| row.get("team")))
    }

    async fn client(&self) -> Result<Arc<Client>, Error> {
        let mut kept = self.client.lock().await;
        if let Some(client) = kept.as_ref().filter(|client| !client.is_closed()) {
            return Ok(client.clone());
        }
        let (client, connection) = self.config.connect(NoTls).await?;
        // How it ends is told to those who use the client.
        tokio::spawn(connection);
        Ok(kept.insert(Arc::new(client)).clone())
    }
}

impl From<&Row> for Person {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            name: row.get("name"),
            team: row.get("team"),
        }
    }
}

const RENAME: &str = "UPDATE people SET name = $2 WHERE id = $1 RETURNING team";

/// Several processes may start at once.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_xact_lock(7160000);";

const TELL_CHANGES: &str = include_str!("tell_changes.sql");

/// Who is in a team stands in another column than what the page of a person goes by: both are told.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS people (
        id bigint PRIMARY KEY,
        name text NOT NULL,
        team text NOT NULL
    );
    SELECT tell_changes('people', 'id', 'person');
    SELECT tell_changes('people', 'team', 'team');
";
