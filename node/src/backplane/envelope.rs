//! Envelopes: what nodes send each other, and what the receiving node does.

use std::sync::Arc;

use jiff::Timestamp;
use muster_protocol::{CommandId, SessionId, TerminalId, frame, inbox::DrainRequest, partition::PartitionIndex};
use serde::{Deserialize, Serialize};

use super::{cursor::Cursor, deliver::Deliver};
use crate::{end::SessionEnd, wire::EncodedCommand};

/// One message between nodes, as JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Envelope {
    /// Sends a command to terminals of the receiving node.
    Deliver(Delivery),
    /// Stops sending a command.
    Cancel {
        /// The command.
        command: CommandId,
    },
    /// A newer session of a terminal started on another node.
    Replaced {
        /// The terminal.
        terminal: TerminalId,
        /// The older session, which has to end.
        session: SessionId,
    },
    /// An operator ends a terminal's session. The terminal may come back.
    Disconnect {
        /// The terminal.
        terminal: TerminalId,
    },
    /// An operator removed a terminal. It must not come back.
    Remove {
        /// The terminal.
        terminal: TerminalId,
    },
    /// Sends sessions away. The JSON is the same as that of
    /// [`InboxMessage::Depart`](muster_protocol::inbox::InboxMessage::Depart), which the sidecar sends. It is read
    /// here directly, because serde would buffer a nested enum and lose the text of a delivery's payload.
    Depart(DrainRequest),
    /// The store has a new epoch: it has lost something that a node has seen of it.
    Renamed,
    /// A node checks whether it hears itself.
    Probe {
        /// The number of the probe.
        number: u64,
    },
}

/// A command on its way to a node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delivery {
    /// The epoch of the store that numbers the command.
    pub epoch: String,
    /// The command's sequence number.
    pub number: u64,
    /// The sequence number of the command before it on the same channel. A node that has not seen that one fills the
    /// gap from the log.
    pub prev: u64,
    /// The terminals that get the command.
    pub to: Audience,
    /// Terminals per second. None sends to all at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// The frame.
    pub command: frame::Command,
}

/// The terminals that an envelope is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// All sessions of the receiving node.
    All,
    /// These terminals.
    Terminals(Vec<TerminalId>),
}

impl Delivery {
    /// The command as `partition` numbered it, encoded once for any number of terminals. The frame of a broadcast carries the
    /// cursor.
    pub fn encode(&self, partition: PartitionIndex) -> Arc<EncodedCommand> {
        let to_all = matches!(self.to, Audience::All);
        encode(partition, self.command.clone(), &Cursor { epoch: self.epoch.clone(), number: self.number }, to_all)
    }

    /// Sends the command to the sessions of its audience in `partition` on this node, all at once. An expired command is not sent.
    pub async fn send(&self, partition: PartitionIndex, sessions: &dyn Deliver) {
        if self.command.expires_at <= Timestamp::now() {
            return;
        }
        match &self.to {
            Audience::All => sessions.broadcast(self.encode(partition)).await,
            Audience::Terminals(terminals) => sessions.send(terminals, self.encode(partition)).await,
        }
    }
}

/// Encodes a command. `place` is its position in `partition`; a broadcast's frame carries it as cursor.
pub fn encode(
    partition: PartitionIndex,
    mut command: frame::Command,
    place: &Cursor,
    to_all: bool,
) -> Arc<EncodedCommand> {
    command.cursor = to_all.then(|| place.to_string());
    Arc::new(EncodedCommand::new(partition, place.number, command))
}

/// Does what an envelope asks that concerns the end of sessions.
pub async fn end_sessions(sessions: &dyn Deliver, envelope: Envelope) {
    match envelope {
        Envelope::Replaced { terminal, session } => {
            sessions.end_session(&terminal, session, SessionEnd::Replaced).await;
        }
        Envelope::Disconnect { terminal } => sessions.end_terminal(&terminal, SessionEnd::Disconnected).await,
        Envelope::Remove { terminal } => sessions.end_terminal(&terminal, SessionEnd::Removed).await,
        Envelope::Depart(departure) => sessions.request_drain(departure),
        Envelope::Deliver(_) | Envelope::Cancel { .. } | Envelope::Renamed | Envelope::Probe { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use muster_protocol::inbox::InboxMessage;

    use super::*;

    #[test]
    fn a_message_of_another_program_is_an_envelope() {
        let request = DrainRequest::Retire { worker: "edge/7".into(), over_ms: 1000 };
        let json = InboxMessage::Depart(request.clone()).to_string();
        let Ok(Envelope::Depart(read)) = serde_json::from_str(&json) else { panic!("no envelope: {json}") };
        assert_eq!(read, request);
    }
}
