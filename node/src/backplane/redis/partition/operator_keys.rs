//! The operators' keys that a partition lists for all of them (operator_keys_put.lua, operator_keys.lua,
//! operator_key.lua).

use jiff::Timestamp;
use muster_protocol::api::OperatorKey;
use redis::RedisResult;

use super::StorePartition;
use crate::backplane::{
    BackplaneError, FoundKeys,
    redis::refusal::{unavailable, unsure},
    rules::OPERATOR_KEYS_MAX,
};

impl StorePartition {
    /// Lists a key that was made.
    ///
    /// # Errors
    /// [`BackplaneError::TooManyKeys`], and those of a call that changes something.
    pub async fn add_key(&self, key: &OperatorKey) -> Result<(), BackplaneError> {
        if self.put_keys(std::slice::from_ref(key)).await? == 1 {
            return Ok(());
        }
        Err(BackplaneError::TooManyKeys(OPERATOR_KEYS_MAX))
    }

    /// Records when keys were last used, and lists those that are not listed yet while there is room.
    ///
    /// # Errors
    /// Those of a call that changes something.
    pub async fn record_key_uses(&self, keys: &[OperatorKey]) -> Result<(), BackplaneError> {
        self.put_keys(keys).await.map(drop)
    }

    /// Returns how many of the keys are listed now.
    async fn put_keys(&self, keys: &[OperatorKey]) -> Result<u64, BackplaneError> {
        let mut call = self.scripts.operator_keys_put(&self.keys);
        call.arg(OPERATOR_KEYS_MAX);
        for key in keys {
            let stored = OperatorKey { last_used_at: None, revoked: false, ..key.clone() };
            let json = serde_json::to_string(&stored).expect("a key has a JSON form");
            let used_ms = key.last_used_at.map(|at| at.as_millisecond().to_string()).unwrap_or_default();
            call.arg(&key.id).arg(json).arg(key.expires_at.as_millisecond()).arg(used_ms);
        }
        call.invoke_async(&mut self.connection.clone()).await.map_err(unsure)
    }

    /// Returns a key that is listed.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn operator_key(&self, id: &str) -> Result<Option<OperatorKey>, BackplaneError> {
        let mut call = self.scripts.operator_key(&self.keys);
        let stored: RedisResult<Vec<String>> = call.arg(id).invoke_async(&mut self.connection.clone()).await;
        Ok(stored.map_err(unavailable)?.chunks_exact(2).find_map(read))
    }

    /// Returns a page of keys, those first that expire first. One that can't be read is left out.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn operator_keys(&self, after: u64, limit: u64) -> Result<FoundKeys, BackplaneError> {
        let mut call = self.scripts.operator_keys(&self.keys);
        let answer: RedisResult<(u64, Vec<String>)> =
            call.arg(after).arg(limit).invoke_async(&mut self.connection.clone()).await;
        let (looked_at, stored) = answer.map_err(unavailable)?;
        let found = stored.chunks_exact(2).filter_map(read).collect();
        Ok(FoundKeys { found, next: (looked_at == limit).then_some(after + limit) })
    }
}

/// Reads a key from its JSON and the milliseconds of its last use.
fn read(stored: &[String]) -> Option<OperatorKey> {
    let key: OperatorKey = serde_json::from_str(&stored[0]).ok()?;
    let last_used_at = stored[1].parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    Some(OperatorKey { last_used_at, ..key })
}
