//! Counts of a partition's terminals.

use muster_protocol::api::FleetView;
use redis::{FromRedisValue, RedisResult, Value, from_redis_value};

use super::{StorePartition, selection::SetExpression};
use crate::backplane::{BackplaneError, redis::refusal::unavailable};

impl StorePartition {
    /// Returns the number of terminals in a set, and of those of them that have a session.
    ///
    /// # Errors
    /// As [`page`](Self::page).
    pub async fn count(&self, set: &SetExpression) -> Result<(u64, u64), BackplaneError> {
        let mut call = self.scripts.count(&self.keys);
        let answer: RedisResult<Vec<String>> =
            call.arg(set.to_postfix()?).invoke_async(&mut self.connection.clone()).await;
        let answer = answer.map_err(unavailable)?;
        let number = |at: usize| answer.get(at).and_then(|text| text.parse().ok()).unwrap_or(0);
        let key = || answer.get(1).cloned().unwrap_or_default();
        match answer.first().map(String::as_str) {
            Some("ok") => Ok((number(1), number(2))),
            Some("broad") => Err(BackplaneError::Broad(key())),
            _ => Err(BackplaneError::LeftOut(key())),
        }
    }

    /// Counts of all terminals. Of labels, the first 512 are counted, in the order of keys and values.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn fleet(&self) -> Result<FleetView, BackplaneError> {
        let call = self.scripts.fleet(&self.keys);
        let answer: RedisResult<Vec<Value>> = call.invoke_async(&mut self.connection.clone()).await;
        Ok(fleet(answer.map_err(unavailable)?))
    }
}

/// Returns what `fleet.lua` answers.
fn fleet(answer: Vec<Value>) -> FleetView {
    let mut values = answer.into_iter();
    let mut number = || value::<u64>(values.next());
    let [known, online, stale, degraded, failing, more] = std::array::from_fn(|_| number());
    let nodes = number() as usize;
    let mut pairs: Vec<(String, u64)> = Vec::new();
    while let Some(name) = values.next() {
        pairs.push((value(Some(name)), value(values.next())));
    }
    let labels = pairs.split_off(nodes.min(pairs.len()));
    let ok = known.saturating_sub(degraded + failing);
    FleetView {
        online: online.saturating_sub(stale),
        stale,
        offline: known.saturating_sub(online),
        by_node: pairs.into_iter().collect(),
        by_condition: [("ok", ok), ("degraded", degraded), ("failing", failing)]
            .map(|(name, count)| (name.to_owned(), count))
            .into(),
        by_label: labels.into_iter().collect(),
        labels_left_out: more > 0,
        partial: Vec::new(),
    }
}

fn value<T: FromRedisValue + Default>(value: Option<Value>) -> T {
    value.and_then(|value| from_redis_value(value).ok()).unwrap_or_default()
}
