//! What tests of commands need: drafts, bounds, and what is stored of a command.

use std::time::Duration;

use muster_node::backplane::{
    CommandDraft, IdempotencyKey,
    redis::partition::{PartitionAsk, PartitionBounds},
};
use muster_protocol::{
    TerminalId,
    id::CommandId,
    partition::{PartitionIndex, command_id},
};
use muster_testkit::ChannelListener;
use serde_json::Value;

use crate::{fleet::terminal, store::TestPartition};

/// Bounds that no test reaches unless it lowers them.
pub fn bounds() -> PartitionBounds {
    PartitionBounds { keep: Duration::from_secs(600), log: 10_000, backlog: 1000, bytes: 1 << 30 }
}

/// A command with these further fields of its request, such as `"offline":"skip"`. Its home is partition 0.
pub fn draft(fields: &str) -> CommandDraft {
    let comma = if fields.is_empty() { "" } else { "," };
    let request = format!(r#"{{"target":{{"all":true}},"name":"show","payload":{{"page":1}}{comma}{fields}}}"#);
    let mut draft = CommandDraft::new(serde_json::from_str(&request).unwrap(), None);
    draft.frame.id = command_id(PartitionIndex(0));
    draft
}

/// The same with an idempotency key, whose body is hashed.
pub fn keyed(key: &str, body: &str) -> CommandDraft {
    let mut draft = draft("");
    draft.key = IdempotencyKey::new("ann", key, body.as_bytes());
    draft
}

/// What a partition is asked, by someone who has seen nothing of it.
pub fn ask<'a>(draft: &'a CommandDraft, bounds: &'a PartitionBounds) -> PartitionAsk<'a> {
    let expires_in = draft.request.expires_in;
    PartitionAsk { draft, by: "ann", with_key: true, again: true, expires_in, bounds, seen: None }
}

/// The terminals with these ordinals.
pub fn terminals(ordinals: &[u32]) -> Vec<TerminalId> {
    ordinals.iter().map(|ordinal| terminal(*ordinal)).collect()
}

/// The next message, which is JSON.
pub async fn json_of(listener: &mut ChannelListener) -> Value {
    serde_json::from_str(&listener.next().await).unwrap()
}

impl TestPartition {
    /// A field of a command's hash.
    pub async fn field(&self, id: CommandId, field: &str) -> Option<String> {
        self.ask("HGET", &format!("command:{id}"), &[field]).await
    }

    /// The commands in a terminal's backlog.
    pub async fn backlog(&self, ordinal: u32) -> Vec<String> {
        self.ask("ZRANGE", &format!("backlog:{ordinal}"), &["0", "-1"]).await
    }

    /// The names of all keys, in order.
    pub async fn names(&self) -> Vec<String> {
        let keys: Vec<String> = self.call(redis::cmd("KEYS").arg("*")).await;
        let prefix = self.keys.key("");
        let mut names: Vec<_> = keys.iter().filter_map(|key| key.strip_prefix(&prefix).map(str::to_owned)).collect();
        names.sort();
        names
    }

    /// Whether nothing is stored but terminals.
    pub async fn is_untouched(&self) -> bool {
        let registry = ["ordinals", "terminals", "known", "held:n1", "nodes"];
        self.names().await.iter().all(|name| registry.contains(&name.as_str()))
    }
}
