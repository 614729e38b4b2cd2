//! What a backplane does for sessions.

use std::sync::Arc;

use async_trait::async_trait;
use muster_protocol::TerminalId;

use crate::{
    backplane::{JoinOutcome, JoinRequest},
    end::EndReport,
    hub::SessionInfo,
};

/// Sessions of terminals that begin and end.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// In one step, registers a session as its terminal's and reads what the terminal missed. So a command that is
    /// accepted later finds the session, and a command that was accepted before is among the missed.
    ///
    /// An older session of the terminal ends, on any node. A store that is away does not keep a terminal out: the
    /// outcome is then [`JoinOutcome::Away`], and the backplane asks the session to join again when the store can
    /// register it.
    async fn join(&self, request: &JoinRequest) -> JoinOutcome;

    /// Returns whether a terminal that begins a handshake can probably be registered: false for a new terminal while
    /// the store has no ordinal for it. This is a cheap look; only the outcome of [`join`](Self::join) is certain.
    async fn has_place_for(&self, terminal: &TerminalId) -> bool;

    /// Takes a session out of the registry if it is still its terminal's, and writes `terminal.offline` with the reason
    /// and the close frame. Writes the terminal's will too if `end` is a loss. A close that
    /// [tells](EndReport::is_telling) something stays in the terminal's record until the next such close.
    ///
    /// While the store is away, the backplane remembers up to 100,000 such sessions, and takes them out later. Further
    /// sessions stay registered until the node's lease ends.
    async fn leave(&self, info: &Arc<SessionInfo>, end: EndReport);
}
