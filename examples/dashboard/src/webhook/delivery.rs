//! Deliveries that were seen already.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{database::Queries, http::Problem};

/// One attempt of the sender, named by its idempotency key.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) company: i64,
    pub(super) key: String,
    digest: [u8; 32],
}

/// The answer that a delivery got.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) repeated: bool,
}

impl Delivery {
    pub(super) fn new(company: i64, key: String, body: &[u8]) -> Self {
        Self {
            company,
            key,
            digest: Sha256::digest(body).into(),
        }
    }

    /// The answer of an earlier delivery under this key.
    ///
    /// The same key with another body is a mistake of the sender: neither the
    /// old answer nor a second interview would be right.
    pub(super) fn answered(&self, sql: &Queries<'_>) -> Result<Option<Answer>, Problem> {
        let found = sql.first(EARLIER, (self.company, &self.key), |row| {
            let answer = Answer {
                status: row.get(1)?,
                body: row.get(2)?,
                repeated: true,
            };
            Ok((row.get::<_, [u8; 32]>(0)?, answer))
        })?;
        match found {
            Some((digest, _)) if digest != self.digest => Err(Problem::unprocessable(
                "this idempotency key was used for another body",
            )),
            Some((_, answer)) => Ok(Some(answer)),
            None => Ok(None),
        }
    }

    /// Remembers the answer, in the transaction of what it reports.
    pub(super) fn answer(
        &self,
        sql: &Queries<'_>,
        status: u16,
        body: &Value,
    ) -> Result<Answer, Problem> {
        let body = body.to_string();
        sql.change(
            REMEMBER,
            (self.company, &self.key, self.digest, status, &body),
        )?;
        Ok(Answer {
            status,
            body,
            repeated: false,
        })
    }
}

const EARLIER: &str = "
    SELECT body_digest, status, answer FROM deliveries
    WHERE company_id = ?1 AND idempotency_key = ?2";

const REMEMBER: &str = "
    INSERT INTO deliveries (company_id, idempotency_key, body_digest, status, answer)
    VALUES (?1, ?2, ?3, ?4, ?5)";
