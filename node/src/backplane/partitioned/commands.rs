//! Commands: one for terminals of a single partition is accepted there in one step. What concerns a command by its id is asked of its
//! home.

use async_trait::async_trait;
use muster_protocol::{
    CommandId, Payload, Selector, TerminalId,
    api::{CommandRequest, DryRun},
    frame,
    partition::{PartitionIndex, homed},
};

use super::{
    PartitionedBackplane,
    member::PartitionMember,
    partition::{PartitionAccepted, PartitionAsk, selection::SetExpression},
};
use crate::backplane::{
    Accepted, BackplaneError, CommandDraft, CommandRecord, CommandStore, TargetRecord, redis::refusal::unavailable,
};

#[async_trait]
impl CommandStore for PartitionedBackplane {
    async fn accept(&self, draft: CommandDraft) -> Result<Accepted, BackplaneError> {
        let named = named(&draft.request.target);
        let partition = self.only_partition(&named).ok_or_else(unbuilt)?;
        let member = self.member(partition);
        member.check()?;
        self.accept_in(member, draft, &named).await
    }

    async fn estimate(&self, request: &CommandRequest) -> Result<DryRun, BackplaneError> {
        let set = SetExpression::from(&request.target);
        let set = &set;
        let counts = self.of_all(|member| async move { member.store.count(set).await }).await?;
        let (targets, online) = counts.into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        Ok(DryRun { targets, online })
    }

    async fn command(&self, _: CommandId) -> Result<Option<CommandRecord>, BackplaneError> {
        Err(unbuilt())
    }

    async fn targets(&self, _: CommandId) -> Result<Vec<(TerminalId, TargetRecord)>, BackplaneError> {
        Err(unbuilt())
    }

    async fn replies(&self, _: CommandId, _: &[TerminalId]) -> Result<Vec<Option<Payload>>, BackplaneError> {
        Err(unbuilt())
    }

    async fn frames(
        &self,
        terminal: &TerminalId,
        ids: &[CommandId],
    ) -> Result<Vec<Option<frame::Command>>, BackplaneError> {
        let member = self.member_of(terminal);
        member.check()?;
        let stored = member.store.stored_frames(ids).await.map_err(unavailable)?;
        let read = |(text, is_few): (String, bool)| {
            let named = is_few.then_some(std::slice::from_ref(terminal));
            self.trust.read_frame(member.index(), &text, named)
        };
        Ok(stored.into_iter().map(|frame| frame.and_then(read)).collect())
    }

    async fn cancel(&self, _: CommandId) -> Result<Option<CommandRecord>, BackplaneError> {
        Err(unbuilt())
    }
}

impl PartitionedBackplane {
    /// Accepts a command whose targets all lie in one partition. Its id gets that partition as its home.
    async fn accept_in(
        &self,
        member: &PartitionMember,
        mut draft: CommandDraft,
        targets: &[TerminalId],
    ) -> Result<Accepted, BackplaneError> {
        draft.frame.id = homed(draft.frame.id, member.index());
        let seen = member.seen();
        let with_key = draft.key.is_some();
        let ask =
            PartitionAsk { draft: &draft, by: "", with_key, again: false, bounds: &self.bounds, seen: seen.as_ref() };
        match member.store.accept_one(&ask, targets).await? {
            PartitionAccepted::New { created_at, expires_at, targets, place, .. } => {
                member.hearing.saw(&place.epoch, place.number);
                draft.created_at = created_at;
                draft.frame.expires_at = expires_at;
                Ok(Accepted::New(draft.record(targets).view(created_at)))
            }
            PartitionAccepted::Before(id) => Ok(Accepted::Before(id)),
        }
    }

    /// The partition in which all of these terminals lie. None if there are several, or no terminals.
    fn only_partition(&self, terminals: &[TerminalId]) -> Option<PartitionIndex> {
        let mut partitions = terminals.iter().map(|terminal| self.partitions.of(terminal));
        let first = partitions.next()?;
        partitions.all(|other| other == first).then_some(first)
    }

    fn member(&self, partition: PartitionIndex) -> &PartitionMember {
        &self.members[usize::from(partition.0)]
    }
}

/// The terminals that a selector names, each once; none if it names none.
fn named(selector: &Selector) -> Vec<TerminalId> {
    let mut named = match selector {
        Selector::Terminal(id) => vec![id.clone()],
        Selector::Terminals(ids) => ids.clone(),
        Selector::All | Selector::Labels(_) => Vec::new(),
    };
    named.sort_unstable();
    named.dedup();
    named
}

/// For the steps over several partitions, which this store lacks so far.
fn unbuilt() -> BackplaneError {
    BackplaneError::Unavailable(
        "the partitioned store accepts only commands for terminals of one partition so far".into(),
    )
}
