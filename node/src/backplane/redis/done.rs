//! Tells that a command for terminals of several partitions is done, by the event `command.done`.
//!
//! A partition in which all targets are settled tells that to the command's home ([`writing`](super::writing)). When
//! all have, or when the command expires, its home marks it as done and remembers that the event is still to be
//! written. Only a node can ask all partitions for the counts that stand in the event, so a node writes it: the one by
//! which the command was done, and if that one ended before, any other at its next beat. The home takes the first.

use muster_protocol::{CommandId, api::CommandState};

use super::{RedisBackplane, member::PartitionMember};
use crate::backplane::{BackplaneError, command_record::done_event, redis::refusal::unavailable};

impl RedisBackplane {
    /// Writes the event of a command, whose home marked it as done. Partitions that are away are named in it, and their
    /// targets are not counted.
    pub(super) async fn tell_done(&self, home: &PartitionMember, command: CommandId) -> Result<(), BackplaneError> {
        let data = match self.brief_command(command).await? {
            Some(record) => {
                let view = record.view(self.clock.now());
                let is_open = view.state == CommandState::Open;
                // Its home has seen it expire, by a clock that is a little ahead.
                let view = if is_open { record.view(record.frame.expires_at) } else { view };
                done_event(&view)
            }
            None => String::new(),
        };
        home.store.tell_done(command, &data).await.map(drop).map_err(unavailable)
    }

    /// Tells what all partitions still have to tell of commands, some of it, before upkeep does so at a beat.
    ///
    /// # Errors
    /// If a partition does not answer. What is not told yet is told at a later beat.
    pub async fn tell_due(&self) -> Result<(), BackplaneError> {
        for member in &self.members {
            self.tell_rest(member).await?;
        }
        Ok(())
    }

    /// Tells what a partition still has to tell of commands, some of it.
    pub(super) async fn tell_rest(&self, member: &PartitionMember) -> Result<(), BackplaneError> {
        let (done, settled) = member.store.telling().await.map_err(unavailable)?;
        for command in settled {
            if let Err(error) = self.tell_home(member, command).await {
                tracing::debug!(%command, %error, "the home of a command is told later that a share is settled");
            }
        }
        for command in done {
            if let Err(error) = self.tell_done(member, command).await {
                tracing::debug!(%command, %error, "it is told later that a command is done");
            }
        }
        Ok(())
    }

    /// Tells the home of a command that all its targets in this partition are settled. The partition remembers it until
    /// that is done.
    pub(super) async fn tell_home(&self, member: &PartitionMember, command: CommandId) -> Result<(), BackplaneError> {
        let home = self.member(self.partitions.home(command));
        home.check()?;
        let is_done = home.store.finish_share(command, member.index()).await.map_err(unavailable)?;
        if is_done && let Err(error) = self.tell_done(home, command).await {
            tracing::debug!(%command, %error, "it is told later that a command is done");
        }
        member.store.home_is_told(command).await.map_err(unavailable)
    }
}
