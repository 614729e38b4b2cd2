//! A command for terminals of several partitions, in two passes: first the node asks each partition concerned, and then
//! each takes its share. `docs/store.md` ("A command for many") says why no call refuses any more once the home has
//! begun.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use jiff::Timestamp;
use muster_protocol::{
    Selector, TerminalId,
    api::{CommandRequest, DryRun},
    partition::{PartitionIndex, Partitions, homed},
};

use super::{
    RedisBackplane,
    member::PartitionMember,
    partition::{
        PartitionAsk,
        lease::UNFINISHED,
        named::NAMED_MAX,
        selection::SetExpression,
        share::{BeginOutcome, BegunCommand, CommittedShare, ShareAsk, ShareOutcome, ShareTargets},
    },
};
use crate::backplane::{Accepted, BackplaneError, CommandDraft, redis::refusal::read};

/// Whom a command is for in each partition.
pub struct DividedTargets {
    /// The expression of a selector that names no terminals, as scripts read it.
    set: Option<String>,
    /// The terminals that a selector names.
    named: BTreeMap<PartitionIndex, Vec<TerminalId>>,
    /// Whether so many are named that the command is one for many.
    is_frozen: bool,
}

impl DividedTargets {
    fn of(&self, partition: PartitionIndex) -> Option<ShareTargets<'_>> {
        match &self.set {
            Some(set) => Some(ShareTargets::Set(set)),
            None if self.is_frozen => self.named.get(&partition).map(|named| ShareTargets::Frozen(named)),
            None => self.named.get(&partition).map(|named| ShareTargets::Named(named)),
        }
    }

    /// Returns one of the partitions concerned, at random. None if terminals are named and there are none.
    fn one_of(&self, partitions: Partitions) -> Option<PartitionIndex> {
        let concerned: Vec<_> = partitions.all().filter(|partition| self.of(*partition).is_some()).collect();
        concerned.get(rand::random_range(0..concerned.len().max(1))).copied()
    }
}

impl RedisBackplane {
    /// Accepts a command for terminals of any partitions.
    pub(super) async fn accept_many(&self, mut draft: CommandDraft) -> Result<Accepted, BackplaneError> {
        let targets = self.divided(&draft.request.target)?;
        // The partition of the key, so that the same key is found again; else any.
        let home = match &draft.key {
            Some(key) => self.partition_of_key(key),
            // A partition that is not concerned need not be there.
            None => targets.one_of(self.partitions).ok_or(BackplaneError::Nobody)?,
        };
        draft.frame.id = homed(draft.frame.id, home);
        let home = self.member(home);
        // The key is looked up before the survey, because the survey would refuse a command that was accepted before.
        if let Some(key) = &draft.key
            && let Some(id) = home.ask(home.store.used_key(key, draft.frame.id)).await?
        {
            return self.accepted_before(id).await;
        }
        let ask = PartitionAsk {
            draft: &draft,
            by: &draft.by,
            with_key: draft.key.is_some(),
            again: false,
            expires_in: draft.request.expires_in,
            bounds: &self.bounds,
            seen: None,
        };
        let surveyed = self.survey(&ask, &targets).await?;
        if surveyed.is_empty() {
            return Err(BackplaneError::Nobody);
        }
        home.check_accepts()?;
        let begun = match home.ask(home.store.begin(&ask, &surveyed)).await? {
            BeginOutcome::Begun(begun) => begun,
            BeginOutcome::Before(id) => return self.accepted_before(id).await,
        };
        let unfinished = |error: BackplaneError| BackplaneError::Unfinished(begun.id, error.to_string());
        let shares =
            self.take_shares(&begun, &targets).await.into_iter().collect::<Result<_, _>>().map_err(unfinished)?;
        home.ask(home.store.commit(begun.id, &shares)).await.map_err(unfinished)?;
        draft.created_at = begun.created_at;
        draft.frame.expires_at = begun.expires_at;
        let (created_at, count) = (begun.created_at, shares.values().map(|share| share.of).sum());
        let mut record = draft.record(count);
        for (state, count) in [
            (muster_protocol::api::TargetState::Rejected, shares.values().map(|share| share.rejected).sum::<u64>()),
            (muster_protocol::api::TargetState::Expired, shares.values().map(|share| share.late).sum()),
        ] {
            if count > 0 {
                record.counts.insert(state, count);
            }
        }
        Ok(Accepted::New(Box::new(record.view(created_at))))
    }

    /// Counts whom a request would be for.
    pub(super) async fn estimate_many(&self, request: &CommandRequest) -> Result<DryRun, BackplaneError> {
        let targets = self.divided(&request.target)?;
        let draft = CommandDraft::new(request.clone(), None);
        let ask = PartitionAsk {
            draft: &draft,
            by: "",
            with_key: false,
            again: false,
            expires_in: draft.request.expires_in,
            bounds: &self.bounds,
            seen: None,
        };
        let counts = self.survey_all(&ask, &targets, false).await?;
        let sum = |of: fn(&DryRun) -> u64| counts.iter().map(|(_, count)| of(count)).sum();
        Ok(DryRun { targets: sum(|count| count.targets), online: sum(|count| count.online) })
    }

    /// Returns the number of targets in each partition that has any.
    async fn survey(
        &self,
        ask: &PartitionAsk<'_>,
        targets: &DividedTargets,
    ) -> Result<BTreeMap<u16, u64>, BackplaneError> {
        let mut surveyed = BTreeMap::new();
        for (index, count) in self.survey_all(ask, targets, true).await? {
            *surveyed.entry(index.0).or_default() += count.targets;
        }
        surveyed.retain(|_, count| *count > 0);
        Ok(surveyed)
    }

    /// Asks each partition that is concerned, and about hundreds of named terminals in portions. A refusal names the
    /// terminals of all partitions. A partition that is away counts before other refusals, because these are then not
    /// complete.
    async fn survey_all(
        &self,
        ask: &PartitionAsk<'_>,
        targets: &DividedTargets,
        stores: bool,
    ) -> Result<Vec<(PartitionIndex, DryRun)>, BackplaneError> {
        let concerned = self.members.iter().filter_map(|member| Some((member, targets.of(member.index())?)));
        let portions = concerned
            .flat_map(|(member, targets)| targets.portions().into_iter().map(move |portion| (member, portion)));
        let asked = portions.map(|(member, targets)| async move {
            if stores {
                member.check_accepts()?;
            }
            Ok((member.index(), member.ask(member.store.survey(ask, targets, stores)).await?))
        });
        let answers: Vec<Result<_, BackplaneError>> = join_all(asked).await;
        let (mut counts, mut refusal) = (Vec::new(), None);
        for answer in answers {
            match answer {
                Ok(count) => counts.push(count),
                Err(error) => refusal = Some(joined(refusal, error)),
            }
        }
        refusal.map_or(Ok(counts), Err)
    }

    /// Has each partition take its share of a command that its home has begun. A partition that took its share before
    /// gives the same answer as then, so this may be repeated, on any node.
    async fn take_shares(
        &self,
        begun: &BegunCommand,
        targets: &DividedTargets,
    ) -> Vec<Result<(u16, CommittedShare), BackplaneError>> {
        let rate = read::<CommandRequest>(&begun.request).ok().and_then(|request| request.rate);
        let total = begun.surveyed.values().sum::<u64>().max(1) as f64;
        let shares = begun.surveyed.iter().filter_map(|(index, count)| {
            let member = self.members.get(usize::from(*index))?;
            Some((member, targets.of(member.index())?, *count))
        });
        let taken = shares.map(|(member, targets, count)| async move {
            let part = rate.map(|rate| rate * count as f64 / total);
            let share = member.ask(self.take_share(member, begun, targets, part, count)).await?;
            Ok((member.index().0, share))
        });
        join_all(taken).await
    }

    async fn take_share(
        &self,
        member: &PartitionMember,
        begun: &BegunCommand,
        targets: ShareTargets<'_>,
        rate: Option<f64>,
        surveyed: u64,
    ) -> Result<CommittedShare, BackplaneError> {
        let seen = member.seen();
        let bounds = &self.bounds;
        let ask = ShareAsk { keep: bounds.keep, log: bounds.log, backlog: bounds.backlog, seen: seen.as_ref() };
        match member.store.share(begun, targets, rate, ask).await? {
            ShareOutcome::Taken { targets, rejected, place } => {
                if targets > 0 {
                    member.hearing.saw(&place.epoch, place.number);
                }
                Ok(CommittedShare { of: targets, rejected, late: 0 })
            }
            ShareOutcome::Late | ShareOutcome::Cancelled => Ok(CommittedShare { late: surveyed, ..Default::default() }),
        }
    }

    /// Finishes commands of a home whose acceptance was begun by a node that is gone, or that got no answer.
    pub(super) async fn finish_begun(&self, home: &PartitionMember) -> Result<(), BackplaneError> {
        for begun in home.store.unfinished(UNFINISHED).await? {
            // A command that waits for a partition does not delay the other commands.
            match self.finish(home, &begun).await {
                Ok(()) => tracing::info!(command = %begun.id, "finished the acceptance of a command"),
                Err(error) => {
                    tracing::debug!(command = %begun.id, %error, "the acceptance of a command is not finished yet")
                }
            }
        }
        Ok(())
    }

    /// Has each partition take its share of a command, and commits it. If the command has expired, commits the share of
    /// a partition that is away as too late. After that the partition can't take it any more.
    pub(super) async fn finish(&self, home: &PartitionMember, begun: &BegunCommand) -> Result<(), BackplaneError> {
        let request: CommandRequest = read(&begun.request)?;
        let targets = self.divided(&request.target)?;
        let mut shares = BTreeMap::new();
        for taken in self.take_shares(begun, &targets).await {
            match taken {
                Ok((partition, share)) => _ = shares.insert(partition, share),
                Err(_) if begun.expires_at <= Timestamp::now() => {}
                Err(error) => return Err(error),
            }
        }
        for (partition, surveyed) in &begun.surveyed {
            shares.entry(*partition).or_insert(CommittedShare { late: *surveyed, ..Default::default() });
        }
        home.store.commit(begun.id, &shares).await.map(drop)
    }

    fn divided(&self, target: &Selector) -> Result<DividedTargets, BackplaneError> {
        let mut named: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let all = super::partition::named::named(target);
        let is_frozen = all.len() > NAMED_MAX;
        for id in all {
            named.entry(self.partitions.of(&id)).or_default().push(id);
        }
        let names_some = matches!(target, Selector::Terminal(_) | Selector::Terminals(_));
        let set = if names_some { None } else { Some(SetExpression::from(target).to_postfix()?) };
        Ok(DividedTargets { set, named, is_frozen })
    }
}

/// Returns two refusals as one.
fn joined(first: Option<BackplaneError>, second: BackplaneError) -> BackplaneError {
    use BackplaneError::{Away, Full, Nameless, Offline, Unavailable, Unknown};
    let both = |mut one: Vec<TerminalId>, other: Vec<TerminalId>| {
        one.extend(other);
        one.sort_unstable();
        one
    };
    match (first, second) {
        (None, second) => second,
        (Some(Unknown(one)), Unknown(other)) => Unknown(both(one, other)),
        (Some(Offline(one)), Offline(other)) => Offline(both(one, other)),
        (Some(Full(one)), Full(other)) => Full(both(one, other)),
        (Some(Away(mut one, reason)), Away(other, _)) => {
            one.extend(other);
            Away(one, reason)
        }
        (Some(first @ (Unavailable(_) | Away(..) | Nameless(_))), _) => first,
        (Some(_), second @ (Unavailable(_) | Away(..) | Nameless(_))) => second,
        (Some(first), second @ Unknown(_)) if !matches!(first, Unknown(_)) => second,
        (Some(first), _) => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_several_partitions_are_one() {
        let ids = |ids: &[&str]| ids.iter().map(|id| id.parse().unwrap()).collect::<Vec<TerminalId>>();
        let away = |index| BackplaneError::Away(vec![PartitionIndex(index)], "it hangs".into());
        let both = BackplaneError::Away(vec![PartitionIndex(1), PartitionIndex(4)], "it hangs".into());
        assert_eq!(joined(Some(away(1)), away(4)), both);
        let unknown = |all: &[&str]| BackplaneError::Unknown(ids(all));
        assert_eq!(joined(Some(unknown(&["b"])), unknown(&["a"])), unknown(&["a", "b"]));
        assert_eq!(joined(Some(unknown(&["b"])), away(1)), away(1));
        assert_eq!(joined(Some(away(1)), unknown(&["b"])), away(1));
        assert_eq!(joined(Some(BackplaneError::Full(ids(&["c"]))), unknown(&["b"])), unknown(&["b"]));
    }
}
