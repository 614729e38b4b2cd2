//! Writes the reports of one partition. What Redis refuses for good is dropped, counted and told of, so that it blocks nothing behind it;
//! any other failure leaves what is not written yet for the next time.

use std::time::{Duration, Instant};

use muster_protocol::CommandId;
use redis::{RedisError, RedisResult};

use super::{RedisBackplane, member::PartitionMember, partition::states::RaisedState, writer::PartitionReports};
use crate::backplane::redis::refusal::refused_for_good;

/// The shortest time between two warnings about reports that were dropped.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

impl RedisBackplane {
    /// Writes the reports of a partition. Returns what is left of them, and the failure that left it.
    pub(super) async fn write(
        &self,
        member: &PartitionMember,
        mut part: PartitionReports,
    ) -> (PartitionReports, RedisResult<()>) {
        if part.is_empty() || member.check().is_err() {
            return (part, Ok(()));
        }
        let written = async {
            // Replies first: whoever sees that a command has ended sees its reply too.
            self.write_replies(member, &mut part).await?;
            self.raise_all(member, &mut part).await?;
            self.tell_homes(member, &mut part).await;
            self.write_vitals_and_events(member, &mut part).await
        };
        let written = written.await;
        (part, written)
    }

    async fn write_replies(&self, member: &PartitionMember, part: &mut PartitionReports) -> RedisResult<()> {
        while let Some((command, replies)) = part.replies.pop_first() {
            match member.store.reply(&part.epoch, command, &replies, &self.bounds).await {
                Ok(Some(dropped)) => self.count_dropped("reply_refused", dropped as usize),
                Ok(None) => self.drop_other_epoch(member, replies.len()),
                Err(error) => {
                    if let Err(error) = self.drop_refused(error, "reply_refused", replies.len(), Some(command)) {
                        part.replies.insert(command, replies);
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    async fn raise_all(&self, member: &PartitionMember, part: &mut PartitionReports) -> RedisResult<()> {
        let mut states = std::mem::take(&mut part.states).into_iter();
        while let Some(state) = states.next() {
            match member.store.raise(&part.epoch, &state).await {
                Ok(Some(raised)) if raised.is_settled && raised.is_share => part.settled.push(state.command),
                Ok(Some(_)) => {}
                Ok(None) => self.drop_other_epoch(member, state.targets.len()),
                Err(error) => {
                    let RaisedState { command, ref targets, .. } = state;
                    if let Err(error) = self.drop_refused(error, "state_refused", targets.len(), Some(command)) {
                        part.states = std::iter::once(state).chain(states).collect();
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// Tells the homes of commands that all targets of this partition are settled. A home that is away is told later, at the beat of any
    /// node.
    async fn tell_homes(&self, member: &PartitionMember, part: &mut PartitionReports) {
        for command in std::mem::take(&mut part.settled) {
            if let Err(error) = self.tell_home(member, command).await {
                tracing::debug!(%command, %error, "the home of a command is told later that a share is settled");
            }
        }
    }

    async fn write_vitals_and_events(&self, member: &PartitionMember, part: &mut PartitionReports) -> RedisResult<()> {
        if let Err(error) = member.store.vitals(&part.vitals).await {
            self.drop_refused(error, "health_refused", part.vitals.len(), None)?;
        }
        part.vitals.clear();
        if let Err(error) = member.store.write_events(&part.events).await {
            self.drop_refused(error, "event_refused", part.events.len(), None)?;
        }
        part.events.clear();
        Ok(())
    }

    /// Drops what Redis refused for good. Passes any other failure on.
    fn drop_refused(
        &self,
        error: RedisError,
        reason: &str,
        count: usize,
        command: Option<CommandId>,
    ) -> Result<(), RedisError> {
        if refused_for_good(&error).is_none() {
            return Err(error);
        }
        self.count_dropped(reason, count);
        if self.writer.may_warn() {
            let command = command.map(tracing::field::display);
            tracing::warn!(
                %error, reason, command,
                "Redis refuses reports, which are dropped and counted in muster_reports_dropped_total: check maxmemory, the rights of this \
                 node's Redis user, and who else writes to its keys"
            );
        }
        Ok(())
    }

    fn drop_other_epoch(&self, member: &PartitionMember, count: usize) {
        tracing::info!(partition = %member.index(), count, "reports are of terminals as the store before numbered them, and are dropped");
        self.count_dropped("other_epoch", count);
    }

    pub(super) fn count_dropped(&self, reason: &str, count: usize) {
        if count > 0 {
            self.metrics.reports_dropped.with_label_values(&[reason]).inc_by(count as u64);
        }
    }
}

/// Whether a warning may be written, given when the last one was.
pub fn is_due(warned_at: &mut Option<Instant>) -> bool {
    let is_due = warned_at.is_none_or(|at| at.elapsed() >= WARNING_INTERVAL);
    if is_due {
        *warned_at = Some(Instant::now());
    }
    is_due
}
