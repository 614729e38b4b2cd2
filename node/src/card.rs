//! What a node knows of a session that does not change while it lasts. Shared by the hub, the registry and the session itself.

use std::sync::Arc;

use jiff::Timestamp;
use muster_protocol::{SessionId, TerminalId, api::Protocol, selector::Labels};
use serde::{Deserialize, Serialize};

/// A session's identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Whose session it is.
    pub terminal: TerminalId,
    /// Which one: of two, the greater is the newer.
    pub session: SessionId,
    /// What it speaks.
    pub protocol: Protocol,
    /// The terminal's labels: its own, overruled by its token's.
    pub labels: Labels,
    /// Where it connects from.
    pub address: String,
    /// The worker of the proxy that it came through, as `HOST/PID/GENERATION`; none if it came directly.
    #[serde(skip)]
    pub edge: Option<Arc<str>>,
    /// Since when.
    pub connected_at: Timestamp,
}
