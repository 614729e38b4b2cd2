//! What leaves the store for the sessions of the node, in the order in which the store made it.

use std::sync::Arc;

use jiff::Timestamp;
use muster_protocol::{CommandId, TerminalId, frame, partition::PartitionIndex};

use crate::{
    backplane::{Cursor, Deliver, encode, pacer::Pacer},
    end::SessionEnd,
    reports::EventReceipt,
    wire::EncodedCommand,
};

/// A node without a cluster has one partition.
const PARTITION: PartitionIndex = PartitionIndex(0);

/// What the sessions are told.
#[derive(Debug)]
pub(super) enum Envelope {
    /// Sends a command.
    Deliver(Delivery),
    /// Stops sending a command.
    Cancel {
        /// The command.
        command: CommandId,
    },
    /// Tells a session that an event is stored.
    Stored {
        /// The terminal.
        terminal: TerminalId,
        /// The session and the event.
        receipt: Box<EventReceipt>,
    },
    /// Ends a terminal's session, for this reason.
    End {
        /// The terminal.
        terminal: TerminalId,
        /// Why.
        end: SessionEnd,
    },
}

/// A command on its way to the sessions.
#[derive(Debug)]
pub(super) struct Delivery {
    /// The command's place in the order of all commands.
    pub place: Cursor,
    /// The terminals that get the command. None stands for all.
    pub terminals: Option<Vec<TerminalId>>,
    /// Terminals per second. None sends to all at once.
    pub rate: Option<f64>,
    /// The frame.
    pub command: frame::Command,
}

impl Delivery {
    /// Sends the command to its terminals, all at once or by the pacer. An expired command is not sent.
    pub async fn send(self, sessions: &dyn Deliver, pacer: &Pacer) {
        let (expires_at, rate) = (self.command.expires_at, self.rate.filter(|rate| *rate > 0.0));
        if expires_at <= Timestamp::now() {
            return;
        }
        let encoded: Arc<EncodedCommand> = encode(PARTITION, self.command, &self.place, self.terminals.is_none());
        match (self.terminals, rate) {
            (None, _) => sessions.broadcast(encoded).await,
            (Some(terminals), None) => sessions.send(&terminals, encoded).await,
            (Some(terminals), Some(rate)) => pacer.pace(encoded, expires_at, terminals, rate),
        }
    }
}
