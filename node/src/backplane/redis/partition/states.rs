//! What terminals replied to commands (reply.lua), and what the home of a command is told. [`raise`](super::raise) has
//! the states that they reached.

use muster_protocol::{CommandId, Payload, api::TargetState, partition::PartitionIndex};
use redis::RedisResult;

use super::{StorePartition, accept::PartitionBounds};
use crate::backplane::{Cursor, cursor::fresh_epoch};

/// The most replies in one call.
const REPLIES_MAX: usize = 512;
/// The most bytes of replies in one call, beyond one reply.
const REPLY_BYTES_MAX: usize = 256 << 10;

/// Returns the state of a level. The levels of scripts (lib/levels.lua) are the ranks of the states that are stored.
pub(super) fn state_of(level: u8) -> TargetState {
    TargetState::STORED.get(usize::from(level)).copied().unwrap_or(TargetState::Queued)
}

/// Returns the level of a state. A state that is derived when someone asks has none.
pub(super) fn level_of(state: TargetState) -> Option<u8> {
    TargetState::STORED.contains(&state).then(|| state.rank())
}

impl StorePartition {
    /// Tells the home of a command, which is this partition, that all targets of another are settled. Returns whether
    /// the command is done by that.
    ///
    /// # Errors
    /// If Redis does not answer or refuses the call. It may have been carried out.
    pub async fn finish_share(&self, command: CommandId, partition: PartitionIndex) -> RedisResult<bool> {
        let mut call = self.scripts.finish_share(&self.keys);
        call.arg(command.to_string()).arg(partition.0);
        call.invoke_async(&mut self.connection.clone()).await
    }

    /// Forgets that the home of a command is still to be told that all targets in this partition are settled.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn home_is_told(&self, command: CommandId) -> RedisResult<()> {
        let mut call = redis::cmd("ZREM");
        call.arg(self.keys.key("settled")).arg(command.to_string());
        call.query_async(&mut self.connection.clone()).await
    }

    /// Writes `command.done` of a command whose home this is, once. Returns whether it was written by this call.
    ///
    /// # Errors
    /// If Redis does not answer or refuses the call. It may have been carried out.
    pub async fn tell_done(&self, command: CommandId, data: &str) -> RedisResult<bool> {
        let mut call = self.scripts.tell_done(&self.keys);
        call.arg(command.to_string()).arg(data);
        call.invoke_async(&mut self.connection.clone()).await
    }

    /// Commands of this home that are done and have no `command.done` yet, and commands whose targets in this partition
    /// are all settled and whose homes were not told. At most 16 of each, from a place that differs from call to call.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn telling(&self) -> RedisResult<(Vec<CommandId>, Vec<CommandId>)> {
        let call = self.scripts.telling(&self.keys);
        let (done, settled): (Vec<String>, Vec<String>) = call.invoke_async(&mut self.connection.clone()).await?;
        let read = |ids: Vec<String>| ids.into_iter().filter_map(|id| id.parse().ok()).collect();
        Ok((read(done), read(settled)))
    }

    /// Stores what targets, by their ordinals, last replied. Returns how many replies were dropped, since as many bytes
    /// are stored as may be. None if the store has another epoch, as for [`raise_all`](Self::raise_all).
    ///
    /// # Errors
    /// If Redis does not answer or refuses a call. Some replies may be stored.
    pub async fn reply(
        &self,
        seen: &Cursor,
        command: CommandId,
        replies: &[(u32, Payload)],
        bounds: &PartitionBounds,
    ) -> RedisResult<Option<u64>> {
        let (mut dropped, mut rest) = (0, replies);
        while !rest.is_empty() {
            let (portion, after) = rest.split_at(portion_of(rest));
            let mut call = self.scripts.reply(&self.keys);
            call.arg(command.to_string()).arg(bounds.bytes).arg(&seen.epoch).arg(seen.number).arg(fresh_epoch());
            for (ordinal, payload) in portion {
                call.arg(*ordinal).arg(payload.to_stored());
            }
            let count: Option<u64> = call.invoke_async(&mut self.connection.clone()).await?;
            let Some(count) = count else { return Ok(None) };
            dropped += count;
            rest = after;
        }
        Ok(Some(dropped))
    }
}

/// Returns how many replies go into one call, at least one.
fn portion_of(replies: &[(u32, Payload)]) -> usize {
    let mut bytes = 0;
    let fits = |(_, payload): &&(u32, Payload)| {
        bytes += payload.as_json().len();
        bytes <= REPLY_BYTES_MAX
    };
    replies.iter().take(REPLIES_MAX).take_while(fits).count().max(1)
}

/// Returns a stored time in milliseconds since the time in the command's id.
pub(super) fn ms_of(stored: u32) -> Option<u64> {
    stored.checked_sub(1).map(u64::from)
}
