//! What nodes send each other, and what the one that gets it does.

use std::sync::Arc;

use jiff::Timestamp;
use muster_protocol::{CommandId, SessionId, TerminalId, frame, inbox::DrainRequest};
use serde::{Deserialize, Serialize};

use super::{cursor::Cursor, deliver::Deliver};
use crate::{end::SessionEnd, wire::EncodedCommand};

/// One message between nodes, as JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Envelope {
    /// Send a command to terminals of the receiving node.
    Deliver(Delivery),
    /// Send no more of a command.
    Cancel {
        /// Which.
        command: CommandId,
    },
    /// A newer session of a terminal began on another node.
    Replaced {
        /// Whose.
        terminal: TerminalId,
        /// The older one, which is to end.
        session: SessionId,
    },
    /// An operator ends a terminal's session; it may come back.
    Disconnect {
        /// Whose.
        terminal: TerminalId,
    },
    /// An operator removed a terminal; it is to stay away.
    Remove {
        /// Which.
        terminal: TerminalId,
    },
    /// Close sessions. The same JSON as [`InboxMessage::Depart`](muster_protocol::inbox::InboxMessage::Depart), which the sidecar
    /// sends; read here directly, since a nested enum would be buffered and lose the text of a delivery's payload.
    Depart(DrainRequest),
    /// The store has another name: it has lost what some node has seen of it.
    Renamed,
    /// A node listens whether it hears itself.
    Probe {
        /// Which of its probes.
        number: u64,
    },
}

/// A command on its way to a node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delivery {
    /// The store that numbers it.
    pub epoch: String,
    /// Its place in the order of all commands.
    pub number: u64,
    /// The number of the one before on the same channel.
    pub prev: u64,
    /// To whom.
    pub to: Audience,
    /// So many terminals a second; all at once if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// The frame.
    pub command: frame::Command,
}

/// The terminals that an envelope is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// All that the receiving node holds.
    All,
    /// These.
    Terminals(Vec<TerminalId>),
}

impl Delivery {
    /// The command, encoded once, whatever the number of terminals. A broadcast's frame carries the cursor.
    pub fn encode(&self) -> Arc<EncodedCommand> {
        let to_all = matches!(self.to, Audience::All);
        encode(self.command.clone(), &Cursor { epoch: self.epoch.clone(), number: self.number }, to_all)
    }

    /// Sends to those of its audience who are here, all at once, unless it has expired.
    pub async fn send(&self, sessions: &dyn Deliver) {
        if self.command.expires_at <= Timestamp::now() {
            return;
        }
        match &self.to {
            Audience::All => sessions.broadcast(self.encode()).await,
            Audience::Terminals(terminals) => sessions.send(terminals, self.encode()).await,
        }
    }
}

/// A command as it goes to terminals.
pub fn encode(mut command: frame::Command, place: &Cursor, to_all: bool) -> Arc<EncodedCommand> {
    command.cursor = to_all.then(|| place.to_string());
    Arc::new(EncodedCommand::new(place.number, command))
}

/// Does what an envelope asks that concerns sessions' ends.
pub async fn end_sessions(sessions: &dyn Deliver, envelope: Envelope) {
    match envelope {
        Envelope::Replaced { terminal, session } => sessions.end_replaced(&terminal, session).await,
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
