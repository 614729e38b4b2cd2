//! Commands in Redis: accepted in one step (accept.lua), and looked up.

use jiff::Timestamp;
use muster_protocol::{
    CommandId, Payload, Selector, TerminalId,
    api::{CommandRequest, DryRun, Offline, TargetState},
    frame,
};
use redis::{AsyncCommands, FromRedisValue, Value, from_redis_value};
use serde::Serialize;

use super::{
    Redis, keys,
    refusal::{broken, read, unavailable, unsure},
};
use crate::backplane::{Accepted, Draft, KEY_KEPT, Life, Refusal, Target, cursor::fresh_epoch};

/// What accept.lua is asked. Times in milliseconds, moments since 1970.
#[derive(Debug, Serialize)]
struct Ask {
    id: CommandId,
    created: i64,
    expires: i64,
    /// Terminals by id, or else the names of label sets, or else all.
    #[serde(skip_serializing_if = "Option::is_none")]
    terminals: Option<Vec<TerminalId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<String>>,
    skip: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    dry: bool,
    /// An Idempotency-Key, the hash of its body, and how long it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    body: String,
    key_ms: u64,
    /// The name of the store, should it be new; what is known of it.
    epoch: String,
    known: String,
    seen: u64,
    keep: u64,
    log: u64,
    backlog: u64,
    max_targets: u64,
}

/// What it answered.
struct Answer {
    outcome: String,
    value: Value,
    online: Option<u64>,
    /// Whether as many replicas have it as must.
    replicated: bool,
}

impl Redis {
    pub(in crate::backplane) async fn accept(&self, draft: Draft) -> Result<Accepted, Refusal> {
        let Answer { outcome, value, replicated, .. } = self.ask(&draft, false).await?;
        match outcome.as_str() {
            "ok" | "same" if !replicated => Err(Refusal::Unreplicated),
            "ok" => {
                let life = draft.life(as_count(value)?);
                Ok(Accepted::New(life.view(life.created_at)))
            }
            "same" => Ok(Accepted::Before(as_id(value)?)),
            other => Err(refusal(other, value)?),
        }
    }

    pub(in crate::backplane) async fn estimate(&self, request: &CommandRequest) -> Result<DryRun, Refusal> {
        let Answer { outcome, value, online, .. } = self.ask(&Draft::new(request.clone(), None), true).await?;
        match outcome.as_str() {
            "ok" => Ok(DryRun { targets: as_count(value)?, online: online.unwrap_or(0) }),
            other => Err(refusal(other, value)?),
        }
    }

    async fn ask(&self, draft: &Draft, dry: bool) -> Result<Answer, Refusal> {
        let ask = serde_json::to_string(&self.question(draft, dry)).expect("a question is JSON");
        let frame = serde_json::to_string(&draft.frame).expect("a frame is JSON");
        // The payload is in the frame; twice would be twice the memory.
        let request = CommandRequest { payload: Payload::default(), ..draft.request.clone() };
        let request = serde_json::to_string(&request).expect("a request is JSON");
        let mut call = self.scripts.accept();
        call.arg(ask).arg(frame).arg(request);
        let mut connection = self.reach()?;
        let (values, replicated) = match &self.replicas {
            _ if dry => (call.invoke_async(&mut connection).await.map_err(unavailable)?, true),
            Some(replicas) => replicas.call(&call).await.map_err(unsure)?,
            None => (call.invoke_async(&mut connection).await.map_err(unsure)?, true),
        };
        let mut values = values.into_iter();
        let (outcome, value, online) = (next(&mut values)?, next(&mut values)?, next(&mut values)?);
        if let Some((epoch, number)) = next::<Option<String>>(&mut values)?.zip(next(&mut values)?) {
            self.hearing.saw(&epoch, number);
        }
        Ok(Answer { outcome, value, online, replicated })
    }

    fn question(&self, draft: &Draft, dry: bool) -> Ask {
        let seen = self.hearing.seen();
        let (terminals, labels) = match &draft.request.target {
            Selector::All => (None, None),
            Selector::Terminal(id) => (Some(vec![id.clone()]), None),
            Selector::Terminals(ids) => (Some(ids.clone()), None),
            Selector::Labels(labels) => {
                (None, Some(labels.iter().map(|(key, value)| format!("{}{key}={value}", keys::LABEL)).collect()))
            }
        };
        Ask {
            id: draft.frame.id,
            created: draft.created_at.as_millisecond(),
            expires: draft.frame.expires_at.as_millisecond(),
            terminals,
            labels,
            skip: draft.request.offline == Offline::Skip,
            rate: draft.request.rate,
            dry,
            key: draft.key.as_ref().map(|key| key.key.clone()),
            body: draft.key.as_ref().map(|key| key.body.clone()).unwrap_or_default(),
            key_ms: KEY_KEPT.as_millis() as u64,
            epoch: fresh_epoch(),
            known: seen.epoch,
            seen: seen.number,
            keep: self.bounds.keep.as_millis() as u64,
            log: self.bounds.log,
            backlog: self.bounds.backlog,
            max_targets: self.bounds.max_targets,
        }
    }

    pub(in crate::backplane) async fn command(&self, id: CommandId) -> Result<Option<Life>, Refusal> {
        let mut fields = vec!["frame", "ask", "created", "cancelled_at"];
        fields.extend(TargetState::ALL.map(TargetState::name));
        let values: Vec<Option<String>> = self.reach()?.hmget(keys::command(id), &fields).await.map_err(unavailable)?;
        let [Some(frame), Some(request), Some(created), cancelled, counts @ ..] = &values[..] else { return Ok(None) };
        let counts = TargetState::ALL.iter().zip(counts);
        let frame: frame::Command = read(frame)?;
        let request: CommandRequest = read(request)?;
        let created_at = created.parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        Ok(Some(Life {
            request: CommandRequest { payload: frame.payload.clone(), ..request },
            frame,
            created_at: created_at.ok_or_else(|| Refusal::Unavailable("a stored time is broken".into()))?,
            cancelled: cancelled.is_some(),
            counts: counts.filter_map(|(state, count)| Some((*state, count.as_ref()?.parse().ok()?))).collect(),
        }))
    }

    pub(in crate::backplane) async fn targets(&self, id: CommandId) -> Result<Vec<(TerminalId, Target)>, Refusal> {
        let all: Vec<(String, String)> = self.reach()?.hgetall(keys::targets(id)).await.map_err(unavailable)?;
        Ok(all.iter().filter_map(|(id, target)| Some((id.parse().ok()?, Target::parse(target)?))).collect())
    }

    pub(in crate::backplane) async fn replies(
        &self,
        id: CommandId,
        terminals: &[TerminalId],
    ) -> Result<Vec<Option<Payload>>, Refusal> {
        if terminals.is_empty() {
            return Ok(Vec::new());
        }
        let fields: Vec<_> = terminals.iter().map(TerminalId::as_str).collect();
        let replies: Vec<Option<String>> =
            self.reach()?.hmget(keys::replies(id), &fields).await.map_err(unavailable)?;
        replies.iter().map(|reply| reply.as_deref().map(read).transpose()).collect()
    }

    /// Also of a command that was cancelled or has expired meanwhile: those are left out.
    pub(in crate::backplane) async fn frames(&self, ids: &[CommandId]) -> Result<Vec<Option<frame::Command>>, Refusal> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for id in ids {
            pipe.cmd("HMGET").arg(keys::command(*id)).arg("frame").arg("cancelled_at");
        }
        let rows: Vec<(Option<String>, Option<String>)> =
            pipe.query_async(&mut self.reach()?).await.map_err(unavailable)?;
        rows.into_iter()
            .map(|(frame, cancelled)| frame.filter(|_| cancelled.is_none()).as_deref().map(read).transpose())
            .collect()
    }

    pub(in crate::backplane) async fn cancel(&self, id: CommandId) -> Result<bool, Refusal> {
        let mut call = self.scripts.cancel();
        call.arg(id.to_string());
        self.change(&call).await
    }
}

fn refusal(outcome: &str, value: Value) -> Result<Refusal, Refusal> {
    Ok(match outcome {
        "unknown" => Refusal::Unknown(as_ids(value)?),
        "offline" => Refusal::Offline(as_ids(value)?),
        "full" => Refusal::Full(as_ids(value)?),
        "crowded" => Refusal::Crowded(as_count(value)?),
        "conflict" => Refusal::OtherBody(as_id(value)?),
        other => broken(format!("accept.lua answered {other:?}")),
    })
}

/// What is left out is nothing.
fn next<T: FromRedisValue>(values: &mut impl Iterator<Item = Value>) -> Result<T, Refusal> {
    from_redis_value(values.next().unwrap_or(Value::Nil)).map_err(broken)
}

fn as_count(value: Value) -> Result<u64, Refusal> {
    from_redis_value(value).map_err(broken)
}

fn as_id(value: Value) -> Result<CommandId, Refusal> {
    let text: String = from_redis_value(value).map_err(broken)?;
    text.parse().map_err(|_| broken("a stored command id is none"))
}

fn as_ids(value: Value) -> Result<Vec<TerminalId>, Refusal> {
    let texts: Vec<String> = from_redis_value(value).map_err(broken)?;
    Ok(texts.iter().filter_map(|text| text.parse().ok()).collect())
}
