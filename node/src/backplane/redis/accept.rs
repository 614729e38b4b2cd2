//! A command is accepted in one step (accept.lua), or its targets are counted by the same one.

use muster_protocol::{
    CommandId, Payload, Selector, TerminalId,
    api::{CommandRequest, Offline},
};
use redis::{FromRedisValue, Value, from_redis_value};
use serde::Serialize;

use super::{
    RedisBackplane,
    refusal::{broken, unavailable, unsure},
};
use crate::backplane::{BackplaneError, CommandDraft, cursor::fresh_epoch, rules};

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

/// What accept.lua answered.
pub(super) struct AcceptAnswer {
    pub(super) outcome: String,
    pub(super) value: Value,
    pub(super) online: Option<u64>,
    /// Whether as many replicas have it as must.
    pub(super) replicated: bool,
}

impl RedisBackplane {
    pub(super) async fn ask(&self, draft: &CommandDraft, dry: bool) -> Result<AcceptAnswer, BackplaneError> {
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
        Ok(AcceptAnswer { outcome, value, online, replicated })
    }

    fn question(&self, draft: &CommandDraft, dry: bool) -> Ask {
        let seen = self.hearing.seen();
        let (terminals, labels) = match &draft.request.target {
            Selector::All => (None, None),
            Selector::Terminal(id) => (Some(vec![id.clone()]), None),
            Selector::Terminals(ids) => (Some(ids.clone()), None),
            Selector::Labels(labels) => {
                (None, Some(labels.iter().map(|(key, value)| self.label_key(&format!("{key}={value}"))).collect()))
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
            key_ms: rules::KEY_TTL.as_millis() as u64,
            epoch: fresh_epoch(),
            known: seen.epoch,
            seen: seen.number,
            keep: self.bounds.keep.as_millis() as u64,
            log: self.bounds.log,
            backlog: self.bounds.backlog,
            max_targets: 5_000_000,
        }
    }
}

pub(super) fn refusal(outcome: &str, value: Value) -> Result<BackplaneError, BackplaneError> {
    Ok(match outcome {
        "unknown" => BackplaneError::Unknown(as_ids(value)?),
        "offline" => BackplaneError::Offline(as_ids(value)?),
        "full" => BackplaneError::Full(as_ids(value)?),
        "conflict" => BackplaneError::OtherBody(as_id(value)?),
        other => broken(format!("accept.lua answered {other:?}")),
    })
}

/// What is left out is nothing.
fn next<T: FromRedisValue>(values: &mut impl Iterator<Item = Value>) -> Result<T, BackplaneError> {
    from_redis_value(values.next().unwrap_or(Value::Nil)).map_err(broken)
}

pub(super) fn as_count(value: Value) -> Result<u64, BackplaneError> {
    from_redis_value(value).map_err(broken)
}

pub(super) fn as_id(value: Value) -> Result<CommandId, BackplaneError> {
    let text: String = from_redis_value(value).map_err(broken)?;
    text.parse().map_err(|_| broken("a stored command id is none"))
}

fn as_ids(value: Value) -> Result<Vec<TerminalId>, BackplaneError> {
    let texts: Vec<String> = from_redis_value(value).map_err(broken)?;
    Ok(texts.iter().filter_map(|text| text.parse().ok()).collect())
}
