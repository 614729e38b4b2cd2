//! The identity of a session: what does not change while the session lasts. The hub, the backplane and the session
//! share it.

use std::sync::Arc;

use jiff::Timestamp;
use muster_protocol::{SessionId, TerminalId, api::Protocol, partition::PartitionIndex, selector::Labels};

/// The identity of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInfo {
    /// The terminal that holds the session.
    pub terminal: TerminalId,
    /// The session's id, a UUIDv7: of two sessions of one terminal, the greater id is the newer session.
    pub session: SessionId,
    /// The protocol that the terminal speaks.
    pub protocol: Protocol,
    /// The partition of the store that the terminal belongs to. It follows from the terminal's id.
    pub partition: PartitionIndex,
    /// The labels of the terminal, from its token and its hello. For a key that both have, the token's label counts.
    pub labels: Labels,
    /// The IP address that the terminal connects from, as far as the node can know it.
    pub address: Box<str>,
    /// The proxy worker that the session came through, as `HOST/PID/GENERATION`. None if the terminal connected
    /// directly.
    pub edge: Option<Arc<str>>,
    /// When the session started, by this node's clock.
    pub connected_at: Timestamp,
}

#[cfg(test)]
impl SessionInfo {
    /// Returns a new session of this terminal, which connects directly and has no labels.
    pub fn fresh(terminal: &str) -> Self {
        Self {
            terminal: terminal.parse().unwrap(),
            session: SessionId(uuid::Uuid::now_v7()),
            protocol: Protocol::V1,
            partition: Default::default(),
            labels: Default::default(),
            address: "127.0.0.1".into(),
            edge: None,
            connected_at: Timestamp::now(),
        }
    }
}
