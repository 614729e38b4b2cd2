//! Terminals that are registered, written as they are stored: with ordinals from 0, and sessions of one node or none.

use muster_protocol::TerminalId;
use redis::Pipeline;

use crate::store::TestPartition;

/// The time at which the leases of these tests end.
const NEVER: u64 = 99_999_999_999_999;

/// The id of the terminal with this ordinal.
pub fn terminal(ordinal: u32) -> TerminalId {
    format!("t{ordinal}").parse().unwrap()
}

impl TestPartition {
    /// Registers the terminals with the ordinals from `first` to `end - 1`. Those of a `node` have sessions there.
    pub async fn register(&self, first: u32, end: u32, node: Option<&str>) {
        let (mut pipe, keys) = (redis::pipe(), &self.keys);
        if let Some(node) = node {
            pipe.zadd(keys.nodes(), node, NEVER).ignore();
        }
        for ordinal in first..end {
            let id = terminal(ordinal);
            let head = node.map(|node| format!("{node} s{ordinal} v1")).unwrap_or_default();
            pipe.hset(keys.key("ordinals"), id.as_str(), ordinal).ignore();
            pipe.hset(keys.key("terminals"), ordinal, format!("{head}\n{{\"terminal\":\"{id}\"}}")).ignore();
            set_bit(&mut pipe, keys.key("known"), ordinal);
            if let Some(node) = node {
                set_bit(&mut pipe, keys.key(&format!("held:{node}")), ordinal);
            }
        }
        self.run(&pipe).await;
    }
}

fn set_bit(pipe: &mut Pipeline, key: String, ordinal: u32) {
    pipe.cmd("SETBIT").arg(key).arg(ordinal).arg(1).ignore();
}
