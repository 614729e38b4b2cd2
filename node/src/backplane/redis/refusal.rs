//! What a failure of Redis is told as. The API says that nothing was changed only where that is certain: a call that changes
//! something goes through [`change`](RedisBackplane::change) or [`tell`](RedisBackplane::tell), or tells its own failure as [`unsure`], as `accept`
//! does; and one whose answer got lost may have been carried out.

use std::fmt::Display;

use muster_protocol::NodeId;
use muster_redis::not_sent;
use redis::{AsyncCommands, FromRedisValue, RedisError, ScriptInvocation};

use super::RedisBackplane;
use crate::backplane::{BackplaneError, envelope::Envelope};

/// What Redis says before it has done anything of a script. NOPERM is not among them: it may come from the midst of one.
const DONE_NOTHING: [&str; 15] = [
    "ASK",
    "BUSY",
    "CLUSTERDOWN",
    "CROSSSLOT",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NOREPLICAS",
    "NOSCRIPT",
    "OOM",
    "READONLY",
    "TRYAGAIN",
    "WRONGPASS",
];

impl RedisBackplane {
    /// Calls a script that changes something.
    pub(super) async fn change<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, BackplaneError> {
        call.invoke_async(&mut self.reach()?).await.map_err(unsure)
    }

    /// Sends a node an envelope by its inbox; whether it was there to hear it.
    pub(super) async fn tell(&self, node: &NodeId, envelope: &Envelope) -> Result<bool, BackplaneError> {
        let envelope = serde_json::to_string(envelope).expect("an envelope is JSON");
        let heard: u64 = self.reach()?.spublish(self.keys.inbox(node), envelope).await.map_err(unsure)?;
        Ok(heard > 0)
    }
}

/// Of a call that only reads, or was not carried out.
pub fn unavailable(error: RedisError) -> BackplaneError {
    tracing::warn!(%error, "Redis failed");
    BackplaneError::Unavailable(match code(&error).as_deref() {
        Some("OOM") => "Redis has no memory left (maxmemory)".into(),
        Some("NOREPLICAS") => "Redis has fewer replicas than it must have (min-replicas-to-write)".into(),
        Some("MISCONF") => "Redis can't write its file (is its disk full?)".into(),
        _ if not_sent(&error) => "Redis is not reached".into(),
        _ if error.is_timeout() => "Redis did not answer in time".into(),
        _ => error.category().into(),
    })
}

/// Of a call that changes something: once sent, it may have been carried out, unless Redis says that it was not.
pub fn unsure(error: RedisError) -> BackplaneError {
    let nothing = code(&error).is_some_and(|code| DONE_NOTHING.contains(&code.as_str()));
    if nothing || not_sent(&error) {
        return unavailable(error);
    }
    tracing::warn!(%error, "Redis may have done what it was asked for, or not");
    BackplaneError::Unsure
}

/// Of an answer that is not what a script gives: who knows what it did?
pub fn broken(error: impl Display) -> BackplaneError {
    tracing::error!(%error, "an answer of Redis is not what was asked for");
    BackplaneError::Unsure
}

/// Reads a stored value.
pub fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, BackplaneError> {
    serde_json::from_str(text)
        .map_err(|error| BackplaneError::Unavailable(format!("a stored value is broken: {error}")))
}

/// How many calls of a pipeline were refused by a Redis that has no memory left (maxmemory); none if anything else failed too.
pub fn refused_for_memory(error: &RedisError) -> Option<usize> {
    let errors = error.clone().into_server_errors()?;
    errors.iter().all(|(_, error)| error.code() == "OOM").then_some(errors.len())
}

/// What the server called it, also in the midst of several calls.
fn code(error: &RedisError) -> Option<String> {
    let errors = error.clone().into_server_errors()?;
    errors.first().map(|(_, error)| error.code().to_owned())
}
