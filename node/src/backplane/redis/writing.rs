//! Writes the reports of one partition. Reports that Redis refuses for good are dropped, counted and logged, so that
//! they do not block the reports behind them. After any other failure, the rest waits for the next time.

use std::collections::VecDeque;

use muster_protocol::CommandId;
use redis::{RedisError, RedisResult};

use super::{RedisBackplane, member::PartitionMember, partition::raise::portions, partition_reports::PartitionReports};
use crate::backplane::{Cursor, redis::refusal::refused_for_good};

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
            match member.store.reply(&seen_by(member, part), command, &replies, &self.bounds).await {
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
        let mut portions = VecDeque::from(portions(std::mem::take(&mut part.states)));
        while let Some(portion) = portions.pop_front() {
            let count = || portion.iter().map(|state| state.targets.len()).sum();
            match member.store.raise_all(&seen_by(member, part), &portion).await {
                Ok(Some(raised)) => {
                    let settled = raised.into_iter().filter(|(_, outcome)| outcome.is_settled && outcome.is_share);
                    part.settled.extend(settled.map(|(command, _)| command));
                }
                Ok(None) => self.drop_other_epoch(member, count()),
                // Redis does not say which of them it refuses, so each is written by itself.
                Err(error) if portion.len() > 1 && refused_for_good(&error).is_some() => {
                    portion.into_iter().rev().for_each(|state| portions.push_front(vec![state]));
                }
                Err(error) => {
                    let command = portion.first().map(|state| state.command);
                    if let Err(error) = self.drop_refused(error, "state_refused", count(), command) {
                        part.states = portion.into_iter().chain(portions.into_iter().flatten()).collect();
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// Tells the homes of commands that all targets of this partition are settled. If a home is away, any node tells it
    /// later, at a beat.
    async fn tell_homes(&self, member: &PartitionMember, part: &mut PartitionReports) {
        for command in std::mem::take(&mut part.settled) {
            if let Err(error) = self.tell_home(member, command).await {
                tracing::debug!(%command, %error, "the home of a command is told later that a share is settled");
            }
        }
    }

    async fn write_vitals_and_events(&self, member: &PartitionMember, part: &mut PartitionReports) -> RedisResult<()> {
        if part.are_vitals_due() {
            if let Err(error) = member.store.vitals(&part.vitals).await {
                self.drop_refused(error, "health_refused", part.vitals.len(), None)?;
            }
            part.vitals.clear();
        }
        let held_back = self.strays.hold_back(&mut part.events);
        let stored = member.store.write_events(&part.events).await;
        let is_stored = stored.is_ok();
        let written = match stored {
            Err(error) => self.drop_refused(error, "event_refused", part.events.len(), None),
            Ok(()) => Ok(()),
        };
        if written.is_ok() {
            for event in part.events.drain(..) {
                if let Some(receipt) = event.receipt.filter(|_| is_stored) {
                    self.sessions.event_stored(&event.terminal, &receipt).await;
                }
            }
        }
        part.events.extend(held_back);
        written
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
        if self.writer.refused.is_due() {
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

/// Returns the epoch of a partition's ordinals, and the last number that this node has seen of it. A store that has
/// lost something may have given these ordinals to others, and goes by the same name until a node shows it what it
/// lacks. So each report does.
fn seen_by(member: &PartitionMember, part: &PartitionReports) -> Cursor {
    let seen = member.seen().filter(|seen| *seen.epoch == *part.epoch);
    Cursor { epoch: part.epoch.to_string(), number: seen.map_or(0, |seen| seen.number) }
}
