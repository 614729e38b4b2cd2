//! Commands: one for terminals of a single partition is accepted there in one step, and any other in two passes
//! ([`many`](super::many)).

use std::time::Duration;

use async_trait::async_trait;
use muster_protocol::{
    CommandId, TerminalId,
    api::{CommandRequest, DryRun},
    frame,
    partition::{PartitionIndex, homed},
};
use uuid::Uuid;

use super::{
    RedisBackplane,
    keyed::left_of,
    member::PartitionMember,
    partition::{
        PartitionAccepted, PartitionAsk, hash_of,
        named::{NAMED_MAX, named},
    },
};
use crate::backplane::{
    Accepted, BackplaneError, CommandDraft, CommandQuery, CommandRecord, CommandStore, FoundCommands, FoundTargets,
    IdempotencyKey, TargetQuery, redis::refusal::unavailable,
};

#[async_trait]
impl CommandStore for RedisBackplane {
    async fn accept(&self, draft: CommandDraft) -> Result<Accepted, BackplaneError> {
        let (key, expires_in) = (draft.key.clone(), draft.request.expires_in);
        let accepted = self.accept_unconfirmed(draft).await?;
        let id = match &accepted {
            Accepted::New(view) => view.id,
            // Nothing is done for an expired command any more, and its lost parts are not stored again.
            Accepted::Before(id) if left_of(*id, expires_in, self.clock.now()).is_none() => return Ok(accepted),
            Accepted::Before(id) => *id,
        };
        self.confirm_replicas(id, key.as_ref()).await?;
        Ok(accepted)
    }

    async fn accepted_under(&self, key: &IdempotencyKey) -> Result<Option<CommandId>, BackplaneError> {
        let keys = self.member(self.partition_of_key(key));
        // Nothing is stored under this id.
        keys.ask(keys.store.used_key(key, CommandId(Uuid::nil()))).await
    }

    async fn estimate(&self, request: &CommandRequest) -> Result<DryRun, BackplaneError> {
        self.estimate_many(request).await
    }

    async fn command(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError> {
        self.merged_command(id).await
    }

    async fn commands(&self, query: &CommandQuery) -> Result<FoundCommands, BackplaneError> {
        self.listed_commands(query).await
    }

    async fn targets(&self, id: CommandId, query: &TargetQuery) -> Result<FoundTargets, BackplaneError> {
        self.merged_targets(id, query).await
    }

    async fn wait(&self, id: CommandId, limit: Duration) {
        let home = self.member(self.partitions.home(id));
        // A home that is away can't tell, so the request looks again later.
        let is_done = async { home.check().is_ok() && home.store.wait(id, &self.node.id).await.unwrap_or(false) };
        self.waiters.wait(id, limit, is_done).await;
    }

    async fn frames(
        &self,
        terminal: &TerminalId,
        ids: &[CommandId],
    ) -> Result<Vec<Option<frame::Command>>, BackplaneError> {
        let member = self.member_of(terminal);
        let stored = member.ask(async { member.store.stored_frames(ids).await.map_err(unavailable) }).await?;
        let read = |(text, is_few): (String, bool)| {
            let named = is_few.then_some(std::slice::from_ref(terminal));
            self.trust.read_frame(member.index(), &text, named)
        };
        Ok(stored.into_iter().map(|frame| frame.and_then(read)).collect())
    }

    async fn cancel(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError> {
        self.cancel_everywhere(id).await
    }
}

impl RedisBackplane {
    /// Accepts a command, which replicas may not have yet.
    async fn accept_unconfirmed(&self, draft: CommandDraft) -> Result<Accepted, BackplaneError> {
        let named = named(&draft.request.target);
        let Some(partition) = self.only_partition(&named) else { return self.accept_many(draft).await };
        let member = self.member(partition);
        member.check_accepts()?;
        match draft.key.clone().map(|key| (self.partition_of_key(&key), key)) {
            Some((of_key, key)) if of_key != partition => {
                self.accept_keyed(self.member(of_key), &key, member, draft, &named).await
            }
            _ => member.ask(self.accept_in(member, draft, &named, None)).await,
        }
    }

    /// Accepts a command whose targets all lie in one partition. That partition becomes the command's home. With
    /// `left`, the command may have been accepted by its id before; if it was not, it expires after this time; its key
    /// is not stored here.
    pub(super) async fn accept_in(
        &self,
        member: &PartitionMember,
        mut draft: CommandDraft,
        targets: &[TerminalId],
        left: Option<Duration>,
    ) -> Result<Accepted, BackplaneError> {
        draft.frame.id = homed(draft.frame.id, member.index());
        let seen = member.seen();
        let again = left.is_some();
        let ask = PartitionAsk {
            draft: &draft,
            by: &draft.by,
            with_key: draft.key.is_some() && !again,
            again,
            expires_in: left.unwrap_or(draft.request.expires_in),
            bounds: &self.bounds,
            seen: seen.as_ref(),
        };
        match member.store.accept_one(&ask, targets).await? {
            PartitionAccepted::New { created_at, expires_at, targets, place, .. } => {
                member.hearing.saw(&place.epoch, place.number);
                draft.created_at = created_at;
                draft.frame.expires_at = expires_at;
                Ok(Accepted::New(Box::new(draft.record(targets).view(created_at))))
            }
            PartitionAccepted::Before(id) => Ok(Accepted::Before(id)),
        }
    }

    /// Returns the partition in which all of these terminals lie. None if there are several, or no terminals,
    /// or so many that the command is one for many.
    fn only_partition(&self, terminals: &[TerminalId]) -> Option<PartitionIndex> {
        if terminals.len() > NAMED_MAX {
            return None;
        }
        let mut partitions = terminals.iter().map(|terminal| self.partitions.of(terminal));
        let first = partitions.next()?;
        partitions.all(|other| other == first).then_some(first)
    }

    /// Returns the partition in which an idempotency key lies. It follows from what is stored of the key, so that an
    /// export of the store can place it anew.
    pub(super) fn partition_of_key(&self, key: &IdempotencyKey) -> PartitionIndex {
        self.partitions.of_text(&hash_of(key))
    }

    /// Returns this node's part in a partition.
    pub(super) fn member(&self, partition: PartitionIndex) -> &PartitionMember {
        &self.members[usize::from(partition.0)]
    }
}
