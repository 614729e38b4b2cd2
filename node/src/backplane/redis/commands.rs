//! Commands in Redis: accepted ([`accept`](super::accept)), looked up and cancelled.

use async_trait::async_trait;
use jiff::Timestamp;
use muster_protocol::{
    CommandId, Payload, TerminalId,
    api::{CommandRequest, DryRun, TargetState},
    frame,
};
use redis::AsyncCommands;

use super::{
    RedisBackplane,
    accept::{AcceptAnswer, as_count, as_id, refusal},
    keys,
    refusal::{read, unavailable},
};
use crate::backplane::{Accepted, BackplaneError, CommandDraft, CommandRecord, CommandStore, TargetList, TargetRecord};

#[async_trait]
impl CommandStore for RedisBackplane {
    async fn accept(&self, draft: CommandDraft) -> Result<Accepted, BackplaneError> {
        let AcceptAnswer { outcome, value, replicated, .. } = self.ask(&draft, false).await?;
        match outcome.as_str() {
            "ok" | "same" if !replicated => Err(BackplaneError::Unreplicated),
            "ok" => {
                let record = draft.record(as_count(value)?);
                Ok(Accepted::New(Box::new(record.view(record.created_at))))
            }
            "same" => Ok(Accepted::Before(as_id(value)?)),
            other => Err(refusal(other, value)?),
        }
    }

    async fn estimate(&self, request: &CommandRequest) -> Result<DryRun, BackplaneError> {
        let AcceptAnswer { outcome, value, online, .. } =
            self.ask(&CommandDraft::new(request.clone(), None), true).await?;
        match outcome.as_str() {
            "ok" => Ok(DryRun { targets: as_count(value)?, online: online.unwrap_or(0) }),
            other => Err(refusal(other, value)?),
        }
    }

    async fn command(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError> {
        let mut fields = vec!["frame", "ask", "created", "cancelled_at"];
        fields.extend(TargetState::ALL.map(TargetState::name));
        let values: Vec<Option<String>> =
            self.reach()?.hmget(self.keys.key(&keys::command(id)), &fields).await.map_err(unavailable)?;
        let [Some(frame), Some(request), Some(created), cancelled, counts @ ..] = &values[..] else { return Ok(None) };
        let counts = TargetState::ALL.iter().zip(counts);
        let frame: frame::Command = read(frame)?;
        let request: CommandRequest = read(request)?;
        let created_at = created.parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        Ok(Some(CommandRecord {
            request: CommandRequest { payload: frame.payload.clone(), ..request },
            frame,
            // This store does not have the author.
            by: String::new(),
            created_at: created_at.ok_or_else(|| BackplaneError::Unavailable("a stored time is broken".into()))?,
            cancelled: cancelled.is_some(),
            counts: counts.filter_map(|(state, count)| Some((*state, count.as_ref()?.parse().ok()?))).collect(),
            unseen: 0,
            partial: Vec::new(),
        }))
    }

    async fn targets(&self, id: CommandId) -> Result<TargetList, BackplaneError> {
        let all: Vec<(String, String)> =
            self.reach()?.hgetall(self.keys.key(&keys::targets(id))).await.map_err(unavailable)?;
        let parsed = all.iter().filter_map(|(id, target)| Some((id.parse().ok()?, TargetRecord::parse(target)?)));
        let mut targets: Vec<(TerminalId, TargetRecord)> = parsed.collect();
        targets.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        Ok(TargetList { targets, partial: Vec::new() })
    }

    async fn replies(&self, id: CommandId, terminals: &[TerminalId]) -> Result<Vec<Option<Payload>>, BackplaneError> {
        if terminals.is_empty() {
            return Ok(Vec::new());
        }
        let fields: Vec<_> = terminals.iter().map(TerminalId::as_str).collect();
        let replies: Vec<Option<String>> =
            self.reach()?.hmget(self.keys.key(&keys::replies(id)), &fields).await.map_err(unavailable)?;
        replies.iter().map(|reply| reply.as_deref().map(read).transpose()).collect()
    }

    /// Also of a command that was cancelled or has expired meanwhile: those are left out.
    async fn frames(&self, _: &TerminalId, ids: &[CommandId]) -> Result<Vec<Option<frame::Command>>, BackplaneError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for id in ids {
            pipe.cmd("HMGET").arg(self.keys.key(&keys::command(*id))).arg("frame").arg("cancelled_at");
        }
        let rows: Vec<(Option<String>, Option<String>)> =
            pipe.query_async(&mut self.reach()?).await.map_err(unavailable)?;
        rows.into_iter()
            .map(|(frame, cancelled)| frame.filter(|_| cancelled.is_none()).as_deref().map(read).transpose())
            .collect()
    }

    async fn cancel(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError> {
        let mut call = self.scripts.cancel();
        call.arg(id.to_string());
        let is_known: bool = self.change(&call).await?;
        if !is_known {
            return Ok(None);
        }
        self.command(id).await.map_err(BackplaneError::after_a_change)
    }
}
