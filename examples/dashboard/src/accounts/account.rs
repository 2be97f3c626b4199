//! The account of a recruiter.

use rusqlite::Row;
use serde::Serialize;

use super::{credentials::Credentials, password};
use crate::{
    app::AppState,
    database::Queries,
    http::{Problem, QueryCount},
};

/// What its owner is shown of it.
#[derive(Debug, Serialize)]
pub(crate) struct Account {
    #[serde(skip)]
    pub(super) id: i64,
    pub(super) email: String,
    pub(super) recruiter_id: i64,
    pub(super) name: String,
    pub(super) company: String,
}

impl Account {
    /// Loads it by its key; nothing if it is gone.
    pub(super) fn load(sql: &Queries<'_>, id: i64) -> Result<Option<Self>, Problem> {
        Ok(sql.first(&format!("{ROW} WHERE a.id = ?1"), [id], Self::from_row)?)
    }

    /// The account whose password this is. An address that nobody has costs as much as a wrong password.
    pub(super) async fn check(
        app: &AppState,
        count: &QueryCount,
        credentials: Credentials,
    ) -> Result<Option<Self>, Problem> {
        let Credentials {
            email, password, ..
        } = credentials;
        let read = move |sql: &Queries<'_>| {
            let statement = format!("{ROW} WHERE a.email = ?1");
            Ok(sql.first(&statement, [email], |row| {
                Ok((Self::from_row(row)?, row.get("password_hash")?))
            })?)
        };
        let found = app.database.read(count, read).await?;
        let (account, hash): (_, Option<String>) = found.unzip();
        let is_right = password::check(password, hash).await?;
        Ok(account.filter(|_| is_right))
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            email: row.get("email")?,
            recruiter_id: row.get("recruiter_id")?,
            name: row.get("name")?,
            company: row.get("company")?,
        })
    }
}

const ROW: &str = "
    SELECT a.id, a.email, a.password_hash, a.recruiter_id, r.name, c.name AS company
    FROM accounts a
    JOIN recruiters r ON r.id = a.recruiter_id
    JOIN companies c ON c.id = r.company_id";
