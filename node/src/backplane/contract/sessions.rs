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
    /// Registers a session as its terminal's and reads what the terminal missed, in one step: a command that is accepted later
    /// finds the session, and one that was accepted before is among the missed.
    ///
    /// An older session of the terminal ends, on whichever node it is. A store that is away does not keep a terminal out: the
    /// outcome is then [`JoinOutcome::Away`], and the session is asked to join again when it can be registered.
    async fn join(&self, request: &JoinRequest) -> JoinOutcome;

    /// Whether a terminal that begins a handshake can be registered, as far as is known without a cost: false for a new terminal while the
    /// store has no number for another one. What [`join`](Self::join) answers counts.
    async fn has_place_for(&self, terminal: &TerminalId) -> bool;

    /// Takes a session out of the registry if it is still its terminal's, and writes `terminal.offline` with the reason and the close
    /// frame. If `end` is a loss, the terminal's will is written too. A close that [tells](EndReport::is_telling) something stays in the
    /// terminal's record until the next one does.
    ///
    /// While the store is away this is done later. Beyond 100,000 such sessions the rest stays registered until the node's
    /// lease ends.
    async fn leave(&self, info: &Arc<SessionInfo>, end: EndReport);
}
