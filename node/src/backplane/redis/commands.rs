//! Commands in Redis, looked up and taken back.

use jiff::Timestamp;
use muster_protocol::{
    CommandId, Payload, TerminalId,
    api::{CommandRequest, TargetState},
    frame,
};
use redis::AsyncCommands;

use super::{
    RedisBackplane, keys,
    refusal::{read, unavailable},
};
use crate::backplane::{BackplaneError, CommandRecord, TargetRecord};

impl RedisBackplane {
    pub(in crate::backplane) async fn command(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError> {
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
            created_at: created_at.ok_or_else(|| BackplaneError::Unavailable("a stored time is broken".into()))?,
            cancelled: cancelled.is_some(),
            counts: counts.filter_map(|(state, count)| Some((*state, count.as_ref()?.parse().ok()?))).collect(),
        }))
    }

    pub(in crate::backplane) async fn targets(
        &self,
        id: CommandId,
    ) -> Result<Vec<(TerminalId, TargetRecord)>, BackplaneError> {
        let all: Vec<(String, String)> =
            self.reach()?.hgetall(self.keys.key(&keys::targets(id))).await.map_err(unavailable)?;
        Ok(all.iter().filter_map(|(id, target)| Some((id.parse().ok()?, TargetRecord::parse(target)?))).collect())
    }

    pub(in crate::backplane) async fn replies(
        &self,
        id: CommandId,
        terminals: &[TerminalId],
    ) -> Result<Vec<Option<Payload>>, BackplaneError> {
        if terminals.is_empty() {
            return Ok(Vec::new());
        }
        let fields: Vec<_> = terminals.iter().map(TerminalId::as_str).collect();
        let replies: Vec<Option<String>> =
            self.reach()?.hmget(self.keys.key(&keys::replies(id)), &fields).await.map_err(unavailable)?;
        replies.iter().map(|reply| reply.as_deref().map(read).transpose()).collect()
    }

    /// Also of a command that was cancelled or has expired meanwhile: those are left out.
    pub(in crate::backplane) async fn frames(
        &self,
        ids: &[CommandId],
    ) -> Result<Vec<Option<frame::Command>>, BackplaneError> {
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

    pub(in crate::backplane) async fn cancel(&self, id: CommandId) -> Result<bool, BackplaneError> {
        let mut call = self.scripts.cancel();
        call.arg(id.to_string());
        self.change(&call).await
    }
}
