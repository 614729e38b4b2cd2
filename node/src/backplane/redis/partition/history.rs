//! What was: the counters of the last 24 hours, minute by minute, and the last changes of a terminal.

use muster_protocol::{TerminalId, api::TerminalChange};
use redis::RedisResult;

use super::StorePartition;
use crate::backplane::{
    BackplaneError, changes,
    fleet_minute::{MINUTE_BYTES, MINUTES_MAX, MinuteCounters},
    redis::refusal::unavailable,
};

impl StorePartition {
    /// Writes the counters of the minute that it is by Redis' clock, unless they are written: any node may call this,
    /// however often. Returns whether this call wrote them.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn write_minute(&self) -> RedisResult<bool> {
        self.scripts.minute(&self.keys).invoke_async(&mut self.connection.clone()).await
    }

    /// Returns the counters of the minutes up to `last`, `count` of them at most and never more than [`MINUTES_MAX`],
    /// with their numbers, the oldest first. Minutes that were not written are left out.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn minutes(&self, last: u32, count: u32) -> Result<Vec<(u32, MinuteCounters)>, BackplaneError> {
        let first = last.saturating_sub(count.clamp(1, MINUTES_MAX) - 1);
        let (from, to) = ((first % MINUTES_MAX) as usize, (last % MINUTES_MAX) as usize);
        let (key, mut pipe) = (self.keys.key("minutes"), redis::pipe());
        let places = if from <= to { vec![(from, to)] } else { vec![(from, MINUTES_MAX as usize - 1), (0, to)] };
        for (from, to) in places {
            pipe.getrange(&key, (from * MINUTE_BYTES) as isize, ((to + 1) * MINUTE_BYTES) as isize - 1);
        }
        let found: RedisResult<Vec<Vec<u8>>> = pipe.query_async(&mut self.connection.clone()).await;
        let found = found.map_err(unavailable)?;
        let all = found.iter().flat_map(|bytes| bytes.chunks_exact(MINUTE_BYTES)).filter_map(MinuteCounters::unpack);
        // A place that was not written in this round has a minute of an earlier one.
        Ok(all.filter(|(minute, _)| (first..=last).contains(minute)).collect())
    }

    /// Returns the last changes of a terminal, the oldest first. None if it is not known.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn changes(&self, id: &TerminalId) -> Result<Option<Vec<TerminalChange>>, BackplaneError> {
        let mut call = self.scripts.changes(&self.keys);
        let packed: RedisResult<Option<Vec<u8>>> =
            call.arg(id.as_str()).invoke_async(&mut self.connection.clone()).await;
        Ok(packed.map_err(unavailable)?.map(|packed| changes::unpack(&packed)))
    }
}
