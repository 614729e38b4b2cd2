//! What a node does in a partition whose messages it could not hear: it takes the missed commands from the log, stops
//! the cancelled ones, and ends the sessions that the store has ended. [`listening`](super::listening) calls this when
//! it listens again, so nothing is missed in between.

use muster_protocol::CommandId;
use redis::RedisResult;

use super::{
    RedisBackplane,
    delivery::{LocalAudience, ReceivedCommand, here},
    member::PartitionMember,
    partition::log::LogPosition,
};
use crate::backplane::{Cursor, redis::hearing::Reached};

/// The number of entries of the log that are read at once.
const PAGE: usize = 500;
/// The number of sessions that are looked up at once.
const PORTION: usize = 500;

impl RedisBackplane {
    /// Takes from the log what follows what the node has `reached`. The partition's sessions join again if the node has
    /// reached nothing yet, if the log does not reach back so far, or if the store went back: each then learns what it
    /// missed itself.
    pub(super) async fn catch_up(&self, member: &PartitionMember, reached: &mut Option<Reached>) -> RedisResult<()> {
        let LogPosition { epoch, newest, trimmed } = member.store.position().await?;
        let before = reached.as_ref().map_or(0, |reached| reached.broadcast.min(reached.inbox));
        let from = match reached {
            Some(known) if known.epoch == epoch && trimmed <= before && before <= newest => before,
            _ => {
                self.sessions.rejoin(member.index()).await;
                newest
            }
        };
        *reached = Some(Reached { epoch: epoch.clone(), broadcast: from, inbox: from });
        let number = self.replay(member, epoch, from, reached).await?;
        member.hearing.has_reached(number);
        Ok(())
    }

    /// Passes on the commands that the log has after `number`. Returns the number up to which it came. If the log was
    /// trimmed meanwhile, the next command shows the gap.
    async fn replay(
        &self,
        member: &PartitionMember,
        epoch: String,
        mut number: u64,
        reached: &mut Option<Reached>,
    ) -> RedisResult<u64> {
        loop {
            let page = member.store.log_after(number, PAGE).await?;
            for (next, id) in &page {
                number = *next;
                member.hearing.saw(&epoch, number);
                self.replay_one(member, Cursor { epoch: epoch.clone(), number }, *id).await?;
                *reached = Some(Reached { epoch: epoch.clone(), broadcast: number, inbox: number });
            }
            if page.len() < PAGE {
                return Ok(number);
            }
        }
    }

    async fn replay_one(&self, member: &PartitionMember, place: Cursor, id: CommandId) -> RedisResult<()> {
        let Some(logged) = member.store.logged_command(id).await? else { return Ok(()) };
        let (terminals, share) = here(member, &logged.targets, &place.epoch);
        if terminals.is_empty() {
            return Ok(());
        }
        let rate = logged.rate.map(|rate| rate * share);
        let to = if logged.is_few { LocalAudience::Named(terminals) } else { LocalAudience::Some(terminals) };
        if let Some(command) = self.opened(member, &logged.frame, &to) {
            self.pass_on(member, ReceivedCommand { place, command, to, rate }).await;
        }
        Ok(())
    }

    /// Stops what was cancelled in a partition while this node was deaf there.
    pub(super) async fn stop_cancelled(&self, member: &PartitionMember) -> RedisResult<()> {
        let paced = self.pacer.commands_of(member.index());
        if paced.is_empty() {
            return Ok(());
        }
        let frames = member.store.stored_frames(&paced).await?;
        for (command, _) in paced.iter().zip(frames).filter(|(_, frame)| frame.is_none()) {
            self.pacer.cancel(*command);
        }
        Ok(())
    }

    /// Ends the sessions that the store has ended while this node was deaf.
    pub(super) async fn give_up_ended(&self, member: &PartitionMember) -> RedisResult<()> {
        for portion in member.ordinals.all().chunks(PORTION) {
            let ends = member.store.ended(portion).await?;
            for ((_, info), end) in portion.iter().zip(ends) {
                if let Some(end) = end {
                    self.sessions.end_session(&info.terminal, info.session, end).await;
                }
            }
        }
        Ok(())
    }
}
