//! A command, encoded once for every socket that it goes to.

use bytes::Bytes;
use jiff::Timestamp;
use muster_protocol::{CommandId, api::Protocol, frame, partition::PartitionIndex};

/// A command as frames, one for each protocol.
#[derive(Debug)]
pub struct EncodedCommand {
    /// The command's id.
    pub command: CommandId,
    /// The partition of the store that numbered the command. The command goes to terminals of this partition.
    pub partition: PartitionIndex,
    /// The command's sequence number in the order of the partition's commands. A session knows what it has received by
    /// the last such number.
    pub number: u64,
    /// The time after which the command is not sent.
    pub expires_at: Timestamp,
    v1: Bytes,
    plain: Bytes,
}

impl EncodedCommand {
    /// Encodes the command that `partition` gave this number.
    pub fn new(partition: PartitionIndex, number: u64, command: frame::Command) -> Self {
        let plain = match command.payload.bytes() {
            Some(bytes) => super::binary(&bytes),
            None => super::text(&command.payload.plain_text()),
        };
        let (id, expires_at) = (command.id, command.expires_at);
        let v1 = super::text(&frame::FromNode::Command(command).to_string());
        Self { command: id, partition, number, expires_at, v1, plain }
    }

    /// Returns the frame for terminals that speak `protocol`.
    pub fn bytes(&self, protocol: Protocol) -> &Bytes {
        match protocol {
            Protocol::V1 => &self.v1,
            Protocol::Plain => &self.plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_protocol::Payload;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn bytes_are_a_binary_message_in_plain_mode_and_base64_in_a_frame() {
        let payload = Payload::from_bytes(&[0, 255, 16]);
        let (id, name, expires_at) = (CommandId(Uuid::nil()), "show".to_owned(), Timestamp::MAX);
        let command = frame::Command { id, name, payload, expires_at, cursor: None, stagger_ms: None };
        let encoded = EncodedCommand::new(PartitionIndex::default(), 1, command);
        assert_eq!(encoded.bytes(Protocol::Plain)[..], [0x82, 3, 0, 255, 16]);
        let frame = encoded.bytes(Protocol::V1);
        assert!(frame[0] == 0x81 && String::from_utf8_lossy(frame).contains(r#""payload_base64":"AP8Q""#), "{frame:?}");
    }
}
