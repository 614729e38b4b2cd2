//! The time of a partition's Redis, by which everything in the partition is judged.

use jiff::Timestamp;
use redis::RedisResult;

use super::StorePartition;
use crate::backplane::{BackplaneError, redis::refusal::unavailable};

impl StorePartition {
    /// Returns the time now, by the clock of this partition's Redis.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn clock(&self) -> Result<Timestamp, BackplaneError> {
        let ms: i64 =
            self.scripts.clock(&self.keys).invoke_async(&mut self.connection.clone()).await.map_err(unavailable)?;
        Ok(Timestamp::from_millisecond(ms).unwrap_or_default())
    }

    /// Returns the time of the whole server, asked by a command that needs no script: an answer tells nothing of this
    /// partition's keys.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn time(&self) -> RedisResult<Timestamp> {
        let (seconds, micros): (i64, i64) = redis::cmd("TIME").query_async(&mut self.connection.clone()).await?;
        let ms = seconds.saturating_mul(1000).saturating_add(micros / 1000);
        Ok(Timestamp::from_millisecond(ms).unwrap_or_default())
    }
}
