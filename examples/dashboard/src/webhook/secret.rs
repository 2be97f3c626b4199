//! The secret that a company shares with its calendar service.

use std::fmt;

use crate::{database::Queries, http::Problem};

/// Read from the database for each delivery and never cached: a secret has no
/// place in a shared store, and one look-up by primary key costs nothing.
pub(crate) struct Secret(String);

impl Secret {
    pub(super) fn load(sql: &Queries<'_>, company: i64) -> Result<Option<Self>, Problem> {
        let statement = "SELECT webhook_secret FROM companies WHERE id = ?1";
        Ok(sql.first(statement, [company], |row| row.get(0).map(Self))?)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
