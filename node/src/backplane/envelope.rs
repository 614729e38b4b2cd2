//! What nodes send each other, and what the one that gets it does.

use std::sync::Arc;

use muster_protocol::{SessionId, TerminalId, frame};
use serde::{Deserialize, Serialize};

use crate::{fanout::Parcel, hub::Hub};

/// One message between nodes, as JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Envelope {
    /// Send a command to terminals of the receiving node.
    Deliver {
        /// To whom.
        to: Audience,
        /// The frame.
        command: frame::Command,
    },
    /// A newer session of a terminal began on another node.
    Replaced {
        /// Whose.
        terminal: TerminalId,
        /// The newer one.
        by: SessionId,
    },
    /// A node listens whether it hears itself.
    Probe {
        /// Which of its probes.
        number: u64,
    },
}

/// The terminals that an envelope is for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// All that the receiving node holds.
    All,
    /// These.
    Terminals(Vec<TerminalId>),
}

/// Sends a command to those of its audience who are here. It is encoded once, whatever their number.
pub async fn deliver(hub: &Hub, to: Audience, command: frame::Command) {
    let parcel = Arc::new(Parcel::new(command));
    match to {
        Audience::All => hub.broadcast(parcel).await,
        Audience::Terminals(terminals) => hub.send(&terminals, parcel).await,
    }
}
