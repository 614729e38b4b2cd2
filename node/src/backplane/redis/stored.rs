//! Commands that are stored: what the home and the partitions with shares have of them, merged.

use std::time::Duration;

use futures_util::future::join_all;
use muster_protocol::{CommandId, partition::PartitionIndex};

use super::{RedisBackplane, answers::PartitionAnswers, member::PartitionMember, partition::PartitionCommand};
use crate::backplane::{BackplaneError, CommandRecord};

impl RedisBackplane {
    /// Returns what the home of a command has of it, and the members of the partitions that have a share of it. None if
    /// the command is not known.
    pub(super) async fn at_home(
        &self,
        id: CommandId,
        is_brief: bool,
    ) -> Result<Option<(PartitionCommand, Vec<&PartitionMember>)>, BackplaneError> {
        let home = self.member(self.partitions.home(id));
        let Some(command) = home.ask(look_up(home, id, is_brief)).await? else { return Ok(None) };
        let members = match &command.shares {
            Some(shares) => {
                let with_targets = shares.iter().filter(|(_, share)| share.of + share.rejected > 0);
                with_targets
                    .filter_map(|(index, _)| self.members.get(usize::from(*index)).map(|member| &**member))
                    .collect()
            }
            None if command.is_accepted => vec![home],
            // Not every partition has taken its share yet.
            None => self.members.iter().map(|member| &**member).collect(),
        };
        Ok(Some((command, members)))
    }

    /// Returns a command with the counts of all partitions that answer. Fails if the command's home does not answer.
    pub(super) async fn merged_command(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError> {
        self.merged(id, false).await
    }

    /// Returns the same without the payload.
    pub(super) async fn brief_command(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError> {
        self.merged(id, true).await
    }

    async fn merged(&self, id: CommandId, is_brief: bool) -> Result<Option<CommandRecord>, BackplaneError> {
        let Some((command, members)) = self.at_home(id, is_brief).await? else { return Ok(None) };
        let home = self.partitions.home(id);
        let others = members.into_iter().filter(|member| member.index() != home);
        let others =
            join_all(others.map(|member| async move { (member.index(), member.ask(look_up(member, id, true)).await) }))
                .await;
        let PartitionAnswers { found, partial } =
            PartitionAnswers::of(std::iter::once((home, Ok(None))).chain(others))?;
        let mut record = command.record;
        let mut lacks: Vec<_> = partial.clone();
        if !record.counts.values().any(|count| *count > 0) {
            lacks.push(home);
        }
        for (partition, part) in found {
            match part {
                Some(part) => {
                    for (state, count) in part.record.counts {
                        *record.counts.entry(state).or_default() += count;
                    }
                }
                None if partition != home => lacks.push(partition),
                None => {}
            }
        }
        let of_share = |index: &PartitionIndex| {
            let share = command.shares.as_ref().and_then(|shares| shares.get(&index.0));
            let surveyed = command.surveyed.get(&index.0).copied();
            share.map_or(surveyed, |share| Some(share.of + share.rejected)).unwrap_or_default()
        };
        if command.is_accepted {
            // A partition that answers and has nothing of the command has lost its share, with a master or to make
            // room.
            record.lost =
                lacks.iter().filter(|index| !partial.contains(index) && of_share(index) > 0).copied().collect();
            record.lost_targets = record.lost.iter().map(of_share).sum();
            record.unseen = partial.iter().map(of_share).sum();
        } else {
            record.unseen = lacks.iter().map(of_share).sum();
        }
        record.partial = partial;
        Ok(Some(record))
    }

    /// Cancels a command in every partition that has a share of it, or may still get one. Marks the command as
    /// cancelled in all of them before it returns.
    ///
    /// For a command of one partition the first call is the change itself: if Redis does not answer this call, the
    /// error must not say that nothing was changed. If a partition with a share is away, the command is cancelled in
    /// all others, which may be most of a fleet, and the error says so.
    pub(super) async fn cancel_everywhere(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError> {
        let home = self.member(self.partitions.home(id));
        match home.ask(home.store.cancel_alone(id)).await? {
            Some(false) => Ok(None),
            Some(true) => self.merged_command(id).await.map_err(BackplaneError::after_a_change),
            None => self.cancel_shares(id).await,
        }
    }

    async fn cancel_shares(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError> {
        let Some((command, members)) = self.at_home(id, true).await? else { return Ok(None) };
        let left = command.record.frame.expires_at.duration_since(self.clock.now());
        let mark = Duration::try_from(left).ok().filter(|_| !command.is_accepted).map(|left| left + self.bounds.keep);
        let home = self.partitions.home(id);
        let mut concerned: Vec<_> = members.iter().map(|member| member.index()).collect();
        // The home says that the command is cancelled, also if it has no share.
        if !concerned.contains(&home) {
            concerned.push(home);
        }
        let cancel = |index, others| async move {
            let member = self.member(index);
            (index, member.ask(member.store.cancel(id, others, mark)).await)
        };
        let asked = concerned.into_iter().map(|index| cancel(index, (index == home).then_some(false)));
        let mut answers = join_all(asked).await;
        // In a partition where all targets have the command, nothing was cancelled. If something was cancelled in
        // another partition, the command is not sent again here either.
        if answers.iter().any(|(_, answer)| *answer == Ok(Some(true))) {
            let (left, mut done): (Vec<_>, Vec<_>) =
                answers.into_iter().partition(|(_, answer)| *answer == Ok(Some(false)));
            done.extend(join_all(left.into_iter().map(|(index, _)| cancel(index, Some(true)))).await);
            answers = done;
        }
        let answers = answers.into_iter().map(|(index, answer)| match answer {
            // Cancelling again does no harm, so an answer that got lost is as good as none.
            Err(BackplaneError::Unsure) => (index, Err(BackplaneError::Unavailable("it gave no answer".into()))),
            answer => (index, answer),
        });
        let partial = PartitionAnswers::of(answers)?.partial;
        if !partial.is_empty() {
            return Err(BackplaneError::CancelledInPart(id, partial));
        }
        self.merged_command(id).await.map_err(BackplaneError::after_a_change)
    }
}

async fn look_up(
    member: &PartitionMember,
    id: CommandId,
    is_brief: bool,
) -> Result<Option<PartitionCommand>, BackplaneError> {
    if is_brief { member.store.brief_command(id).await } else { member.store.command(id).await }
}
