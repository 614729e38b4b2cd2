//! The time of a partition's Redis, by which everything in the partition is judged.

use jiff::Timestamp;

use super::StorePartition;
use crate::backplane::{BackplaneError, redis::refusal::unavailable};

impl StorePartition {
    /// The time now, by the clock of this partition's Redis.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn clock(&self) -> Result<Timestamp, BackplaneError> {
        let ms: i64 =
            self.scripts.clock(&self.keys).invoke_async(&mut self.connection.clone()).await.map_err(unavailable)?;
        Ok(Timestamp::from_millisecond(ms).unwrap_or_default())
    }
}
