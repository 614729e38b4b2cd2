//! Commands in Redis: accepted ([`accept`](super::accept)), looked up and cancelled.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_protocol::{
    CommandId, TerminalId,
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
use crate::backplane::{
    Accepted, BackplaneError, CommandDraft, CommandQuery, CommandRecord, CommandStore, FoundCommands, FoundTarget,
    FoundTargets, TargetQuery, TargetRecord,
};

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

    async fn commands(&self, _: &CommandQuery) -> Result<FoundCommands, BackplaneError> {
        Err(BackplaneError::Unavailable("this store does not list commands".into()))
    }

    async fn targets(&self, id: CommandId, query: &TargetQuery) -> Result<FoundTargets, BackplaneError> {
        let all: Vec<(String, String)> =
            self.reach()?.hgetall(self.keys.key(&keys::targets(id))).await.map_err(unavailable)?;
        let parsed = all.iter().filter_map(|(id, target)| Some((id.parse().ok()?, TargetRecord::parse(target)?)));
        let mut targets: Vec<(TerminalId, TargetRecord)> = parsed.collect();
        targets.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        let wanted = targets.iter().filter(|(_, target)| query.wants(target.state)).map(|(id, target)| (id, target));
        let (page, next) = page_of(query, wanted);
        if page.is_empty() {
            return Ok(FoundTargets::default());
        }
        let fields: Vec<_> = page.iter().map(|(terminal, _)| terminal.as_str()).collect();
        let replies: Vec<Option<String>> =
            self.reach()?.hmget(self.keys.key(&keys::replies(id)), &fields).await.map_err(unavailable)?;
        let target = |((terminal, record), reply): ((&TerminalId, &TargetRecord), Option<String>)| {
            let reply = reply.as_deref().map(read).transpose()?;
            Ok(FoundTarget { terminal: terminal.clone(), record: record.clone(), reply })
        };
        let targets = page.into_iter().zip(replies).map(target).collect::<Result<_, BackplaneError>>()?;
        Ok(FoundTargets { targets, next, partial: Vec::new() })
    }

    async fn wait(&self, _: CommandId, limit: Duration) {
        tokio::time::sleep(limit.min(Duration::from_millis(250))).await;
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

/// The page that is asked for, of all targets in the order of their ids. The terminal of the last target says where the next page
/// begins.
fn page_of<'a, T>(
    query: &TargetQuery,
    all: impl Iterator<Item = (&'a TerminalId, T)>,
) -> (Vec<(&'a TerminalId, T)>, Option<String>) {
    let behind = all.filter(|(id, _)| query.after.as_ref().is_none_or(|after| id.as_str() > after.as_str()));
    let mut page: Vec<_> = behind.take(query.limit + 1).collect();
    let more = page.len() > query.limit;
    page.truncate(query.limit);
    let next = page.last().filter(|_| more).map(|(id, _)| id.to_string());
    (page, next)
}
