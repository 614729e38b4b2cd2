//! What terminals report of commands: states (raise.lua) and replies (reply.lua).

use std::collections::BTreeMap;

use muster_protocol::{CommandId, Payload, api::TargetState, partition::PartitionIndex};
use redis::RedisResult;

use super::{StorePartition, accept::PartitionBounds, times};
use crate::backplane::command_record::accepted_ms;

/// The most replies in one call.
const REPLIES_MAX: usize = 512;
/// The most bytes of replies in one call, beyond one reply.
const REPLY_BYTES_MAX: usize = 256 << 10;
/// The most targets of a command that is not for many.
const FEW_MAX: usize = 512;

/// A state that some targets of one partition have reached.
#[derive(Debug, Clone)]
pub struct RaisedState {
    /// The command.
    pub command: CommandId,
    /// The state.
    pub state: TargetState,
    /// Whether these terminals never confirm more than this state, as plain terminals do not.
    pub settled: bool,
    /// Their ordinals, and when they reached it, in milliseconds since 1970.
    pub targets: Vec<(u32, u64)>,
}

/// What raising a state changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RaiseOutcome {
    /// How many targets rose.
    pub rose: u64,
    /// Whether all targets of this partition are settled by this.
    pub is_settled: bool,
    /// Whether the command has other partitions: its home must then be told with [`StorePartition::finish_share`].
    pub is_share: bool,
}

/// The state of a level. The levels of scripts (lib/levels.lua) are the ranks of the states that are stored.
pub(super) fn state_of(level: u8) -> TargetState {
    TargetState::STORED.get(usize::from(level)).copied().unwrap_or(TargetState::Queued)
}

/// The level of a state. A state that is derived when someone asks has none.
pub(super) fn level_of(state: TargetState) -> Option<u8> {
    TargetState::STORED.contains(&state).then(|| state.rank())
}

impl StorePartition {
    /// Raises targets to a state. States only rise, so a report may be repeated, and reports may overtake each other. Terminals that
    /// are no targets are left alone, and a command that is not stored is no error. None if the store has another epoch than the one in
    /// which the ordinals were given: then nothing is changed. An empty `epoch` is any.
    ///
    /// # Errors
    /// If Redis does not answer or refuses the call. It may have been carried out.
    pub async fn raise(&self, epoch: &str, raised: &RaisedState) -> RedisResult<Option<RaiseOutcome>> {
        let level = level_of(raised.state).filter(|level| *level > 0);
        let Some(level) = level.filter(|_| !raised.targets.is_empty()) else {
            return Ok(Some(RaiseOutcome::default()));
        };
        let targets = first_times(raised);
        let mut call = self.scripts.raise(&self.keys);
        call.arg(raised.command.to_string()).arg(raised.state.name()).arg(if raised.settled { "settled" } else { "" });
        call.arg(few_reports(&targets));
        let (offset, bits) = bitmap(&targets);
        call.arg(offset).arg(bits).arg(epoch);
        for (bucket, entries) in times::entries(level, &targets) {
            call.arg(bucket).arg(entries);
        }
        let answer: Option<(u64, bool, bool)> = call.invoke_async(&mut self.connection.clone()).await?;
        Ok(answer.map(|(rose, is_settled, is_share)| RaiseOutcome { rose, is_settled, is_share }))
    }

    /// Tells the home of a command, which is this partition, that all targets of another are settled. Returns whether the command is
    /// done by that.
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

    /// Commands of this home that are done and have no `command.done` yet, and commands whose targets in this partition are all settled
    /// and whose homes were not told. At most 16 of each, from a place that differs from call to call.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn telling(&self) -> RedisResult<(Vec<CommandId>, Vec<CommandId>)> {
        let call = self.scripts.telling(&self.keys);
        let (done, settled): (Vec<String>, Vec<String>) = call.invoke_async(&mut self.connection.clone()).await?;
        let read = |ids: Vec<String>| ids.into_iter().filter_map(|id| id.parse().ok()).collect();
        Ok((read(done), read(settled)))
    }

    /// Stores what targets, by their ordinals, last replied. Returns how many replies were dropped, since as many bytes are stored as
    /// may be. None if the store has another epoch, as for [`raise`](Self::raise).
    ///
    /// # Errors
    /// If Redis does not answer or refuses a call. Some replies may be stored.
    pub async fn reply(
        &self,
        epoch: &str,
        command: CommandId,
        replies: &[(u32, Payload)],
        bounds: &PartitionBounds,
    ) -> RedisResult<Option<u64>> {
        let (mut dropped, mut rest) = (0, replies);
        while !rest.is_empty() {
            let (portion, after) = rest.split_at(portion_of(rest));
            let mut call = self.scripts.reply(&self.keys);
            call.arg(command.to_string()).arg(bounds.bytes).arg(epoch);
            for (ordinal, payload) in portion {
                call.arg(*ordinal).arg(payload.as_json());
            }
            let count: Option<u64> = call.invoke_async(&mut self.connection.clone()).await?;
            let Some(count) = count else { return Ok(None) };
            dropped += count;
            rest = after;
        }
        Ok(Some(dropped))
    }
}

/// How many replies go into one call, at least one.
fn portion_of(replies: &[(u32, Payload)]) -> usize {
    let mut bytes = 0;
    let fits = |(_, payload): &&(u32, Payload)| {
        bytes += payload.as_json().len();
        bytes <= REPLY_BYTES_MAX
    };
    replies.iter().take(REPLIES_MAX).take_while(fits).count().max(1)
}

/// Each target once, in ascending order, with its first time as it is stored: 1 and the milliseconds since the time in the command's
/// id. Beyond 49 days it stays at the greatest value.
fn first_times(raised: &RaisedState) -> Vec<(u32, u32)> {
    let begun = accepted_ms(raised.command);
    let mut first = BTreeMap::new();
    for (ordinal, at) in &raised.targets {
        let ms = u32::try_from(at.saturating_sub(begun)).unwrap_or(u32::MAX - 1).saturating_add(1).min(u32::MAX - 256);
        first.entry(*ordinal).and_modify(|known: &mut u32| *known = ms.min(*known)).or_insert(ms);
    }
    first.into_iter().collect()
}

/// A stored time in milliseconds since the time in the command's id.
pub(super) fn ms_of(stored: u32) -> Option<u64> {
    stored.checked_sub(1).map(u64::from)
}

/// The targets as few_states.lua reads them. Of more, none is a target of a command for few.
fn few_reports(targets: &[(u32, u32)]) -> Vec<u8> {
    let few = targets.iter().filter(|_| targets.len() <= FEW_MAX);
    few.flat_map(|(ordinal, ms)| [ordinal.to_be_bytes(), ms.to_be_bytes()].concat()).collect()
}

/// A bitmap of the targets, from the byte that has the first.
fn bitmap(targets: &[(u32, u32)]) -> (u32, Vec<u8>) {
    let offset = targets[0].0 / 8;
    let mut bits = vec![0; (targets[targets.len() - 1].0 / 8 - offset) as usize + 1];
    for (ordinal, _) in targets {
        bits[(ordinal / 8 - offset) as usize] |= 128 >> (ordinal % 8);
    }
    (offset, bits)
}
