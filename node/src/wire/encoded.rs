//! A command, encoded once for every socket that it goes to.

use bytes::Bytes;
use jiff::Timestamp;
use muster_protocol::{CommandId, api::Protocol, frame};

/// A command as frames, one for each protocol.
#[derive(Debug)]
pub struct EncodedCommand {
    /// The command's id.
    pub command: CommandId,
    /// The command's sequence number in the order of all commands. By it a session knows what it has received.
    pub number: u64,
    /// The time after which the command is not sent.
    pub expires_at: Timestamp,
    v1: Bytes,
    plain: Bytes,
}

impl EncodedCommand {
    /// Encodes a command.
    pub fn new(number: u64, command: frame::Command) -> Self {
        let plain = super::text(&command.payload.plain_text());
        let (id, expires_at) = (command.id, command.expires_at);
        Self { command: id, number, expires_at, v1: super::text(&frame::FromNode::Command(command).to_string()), plain }
    }

    /// The frame for terminals that speak `protocol`.
    pub fn bytes(&self, protocol: Protocol) -> &Bytes {
        match protocol {
            Protocol::V1 => &self.v1,
            Protocol::Plain => &self.plain,
        }
    }
}
