//! The script that appends to the log, or tells its end.

use std::{sync::LazyLock, time::Duration};

use redis::{FromRedisValue, RedisResult, Script, Value, aio::MultiplexedConnection};

use crate::log::{random, record::Content, table::Stamp};

/// What the script is asked to do.
pub(super) struct Append<'a> {
    pub(super) content: &'a Content,
    /// Begin a new epoch if the last record is of this one; 0 for none.
    pub(super) end_epoch: u64,
    /// Write only if the log does not exist.
    pub(super) only_if_absent: bool,
}

impl Append<'_> {
    /// Only makes sure that there is a log, and tells its end.
    pub(super) const NOTHING: Self = Self {
        content: NO_CONTENT,
        end_epoch: 0,
        only_if_absent: true,
    };

    pub(super) async fn send(
        &self,
        name: &str,
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<Head> {
        APPEND
            .key(name)
            .arg(self.content.encode())
            .arg(&random().to_be_bytes()[..])
            .arg(&random().to_be_bytes()[..])
            .arg(&self.end_epoch.to_be_bytes()[..])
            .arg(u8::from(self.only_if_absent))
            .arg(RECORDS_KEPT)
            .arg(TIME_TO_LIVE.as_millis() as u64)
            .invoke_async(connection)
            .await
    }
}

pub(super) const NO_CONTENT: &Content = &Content {
    changes: Vec::new(),
    doubts: Vec::new(),
};

/// The last record of the log.
pub(super) struct Head {
    pub(super) at: Stamp,
    pub(super) nonce: u64,
}

impl FromRedisValue for Head {
    fn from_redis_value(value: Value) -> Result<Self, redis::ParsingError> {
        let (position, epoch, nonce): (u64, Vec<u8>, Vec<u8>) =
            FromRedisValue::from_redis_value(value)?;
        let number = |bytes: Vec<u8>| number(&bytes).ok_or("a record of the log has no valid head");
        Ok(Self {
            at: Stamp {
                epoch: number(epoch)?,
                position,
            },
            nonce: number(nonce)?,
        })
    }
}

pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

/// The script that appends; loaded on every new connection.
pub(crate) static APPEND: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("append.lua")));

/// Nobody's log is lost to eviction policies that prefer keys without one: it has a time to live.
pub(super) const TIME_TO_LIVE: Duration = Duration::from_secs(24 * 3600);

/// What a process may fall behind without losing its entries, about 10 MB at the most.
const RECORDS_KEPT: usize = 1 << 16;

/// Records that one read asks for.
pub(super) const RECORDS_AT_ONCE: usize = 512;
