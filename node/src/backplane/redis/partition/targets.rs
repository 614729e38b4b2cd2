//! A page of the targets of a command in a partition (targets.lua).

use std::collections::HashMap;

use muster_protocol::{CommandId, Payload, TerminalId, api::TargetState};
use redis::{FromRedisValue, Value, from_redis_value};

use super::{
    StorePartition,
    states::{level_of, ms_of, state_of},
    times::{self, BUCKET},
};
use crate::backplane::{
    BackplaneError, TargetRecord,
    redis::refusal::{broken, unavailable},
};

/// Targets in the order of their ordinals.
#[derive(Debug, Clone, Default)]
pub struct PartitionTargets {
    /// The targets.
    pub targets: Vec<PartitionTarget>,
    /// Terminals that were rejected when the share was taken, and why. They come behind all targets.
    pub rejected: Vec<(TerminalId, String)>,
    /// The place after which the next page begins. `None` on the last page. A page may be short and not the last.
    pub next: Option<u64>,
}

/// A target of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionTarget {
    /// Its ordinal.
    pub ordinal: u32,
    /// The terminal, also if it was forgotten meanwhile.
    pub terminal: TerminalId,
    /// Its state and times.
    pub record: TargetRecord,
    /// Its last reply; null if there is none.
    pub reply: Payload,
}

impl StorePartition {
    /// Returns a page of at most `limit` and 512 targets of a command, after a place: those in stored states, or all.
    /// None if the partition has nothing of the command.
    pub async fn targets(
        &self,
        id: CommandId,
        states: Option<&[TargetState]>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Option<PartitionTargets>, BackplaneError> {
        let mut call = self.scripts.targets(&self.keys);
        let levels = |states: &[TargetState]| {
            states.iter().filter_map(|state| level_of(*state)).map(|level| level.to_string()).collect::<String>()
        };
        call.arg(id.to_string()).arg(states.map_or_else(|| "all".into(), levels));
        call.arg(after.map_or_else(|| "-1".into(), |after| after.to_string())).arg(limit.min(512));
        let values: Vec<Value> = call.invoke_async(&mut self.connection.clone()).await.map_err(unavailable)?;
        if values.is_empty() { Ok(None) } else { page(values).map(Some) }
    }
}

fn page(values: Vec<Value>) -> Result<PartitionTargets, BackplaneError> {
    let mut values = values.into_iter();
    let next: String = next_of(&mut values)?;
    let ordinals: Vec<u8> = next_of(&mut values)?;
    let ordinals: Vec<u32> = ordinals.as_chunks().0.iter().map(|bytes| u32::from_be_bytes(*bytes)).collect();
    let names: Vec<String> = next_of(&mut values)?;
    let levels: Vec<u8> = next_of(&mut values)?;
    let replies: Vec<String> = next_of(&mut values)?;
    let records: Vec<u8> = next_of(&mut values)?;
    let rejected: Vec<(String, String)> = next_of(&mut values)?;
    let times = if records.is_empty() { bucket_times(values)? } else { HashMap::new() };
    let mut targets = Vec::new();
    for (at, ((ordinal, name), reply)) in ordinals.iter().zip(names).zip(replies).enumerate() {
        let Ok(terminal) = name.parse() else { continue };
        let level = levels.get(at).copied().unwrap_or_default();
        let steps = match records.as_chunks::<17>().0.get(at) {
            Some(record) => few_steps(record),
            None => many_steps(&times, *ordinal, level),
        };
        let record = TargetRecord { state: state_of(level), steps };
        let reply = Payload::from_stored(&reply).unwrap_or_default();
        targets.push(PartitionTarget { ordinal: *ordinal, terminal, record, reply });
    }
    let rejected = rejected.into_iter().filter_map(|(id, reason)| Some((id.parse().ok()?, reason))).collect();
    Ok(PartitionTargets { targets, rejected, next: next.parse().ok() })
}

fn next_of<T: FromRedisValue>(values: &mut impl Iterator<Item = Value>) -> Result<T, BackplaneError> {
    let value = values.next().ok_or_else(|| broken("the answer of targets.lua is too short"))?;
    from_redis_value(value).map_err(broken)
}

/// Returns the first time at which each ordinal of these buckets reached each level.
fn bucket_times(mut values: impl Iterator<Item = Value>) -> Result<HashMap<(u32, u8), u32>, BackplaneError> {
    let mut first = HashMap::new();
    while let Some(bucket) = values.next() {
        let bucket: u32 = from_redis_value(bucket).map_err(broken)?;
        let entries: Vec<u8> = next_of(&mut values)?;
        times::read(&entries, |place, level, ms| {
            first.entry((bucket * BUCKET + place, level)).or_insert(ms);
        });
    }
    Ok(first)
}

fn many_steps(times: &HashMap<(u32, u8), u32>, ordinal: u32, level: u8) -> [Option<u64>; 4] {
    let at = |level| times.get(&(ordinal, level)).copied().and_then(ms_of);
    [at(1), at(2), at(3), if level > 3 { at(level) } else { None }]
}

fn few_steps(record: &[u8; 17]) -> [Option<u64>; 4] {
    let mut steps = [None; 4];
    for (step, bytes) in steps.iter_mut().zip(record[1..].as_chunks().0) {
        *step = ms_of(u32::from_be_bytes(*bytes));
    }
    steps
}
