//! A message from the program to the node, encoded once, and what is sent instead of a result that is too large.

use muster_protocol::{
    CommandId, Payload,
    frame::{FromTerminal, ResultFrame},
};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

/// One encoded message. Cloning it copies no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outgoing {
    message: Message,
    /// The command, if the message is its result.
    result_of: Option<CommandId>,
}

impl Outgoing {
    /// Encodes a frame of `muster.v1`.
    pub(crate) fn frame(frame: &FromTerminal) -> Self {
        let result_of = match frame {
            FromTerminal::Result(result) => Some(result.id),
            _ => None,
        };
        Self { message: Message::text(frame.to_string()), result_of }
    }

    /// Makes a message from the result of a command, as it was sent before.
    pub(crate) fn result(id: CommandId, frame: &str) -> Self {
        Self { message: Message::text(frame), result_of: Some(id) }
    }

    /// Returns the command and the frame, if the message is a result.
    pub(crate) fn as_result(&self) -> Option<(CommandId, &str)> {
        Some((self.result_of?, self.message.to_text().ok()?))
    }

    /// Makes a text message of plain mode.
    pub(crate) fn text(text: String) -> Self {
        Self { message: Message::text(text), result_of: None }
    }

    /// Makes a binary message of plain mode.
    pub(crate) fn binary(bytes: Vec<u8>) -> Self {
        Self { message: Message::binary(bytes), result_of: None }
    }

    /// Returns the size of the WebSocket message in bytes.
    pub(crate) fn size(&self) -> usize {
        self.message.len()
    }

    /// Returns the WebSocket message.
    pub(crate) fn into_message(self) -> Message {
        self.message
    }

    /// Returns what to send instead of a result over `limit` bytes, so that the command ends: a failure that names both
    /// sizes or, if even that is over the limit, a failure without a payload. `None` for a message that is no result.
    pub(crate) fn replacement(&self, limit: usize) -> Option<Self> {
        let id = self.result_of?;
        let failed = |payload| Self::frame(&FromTerminal::Result(ResultFrame { id, ok: false, reason: None, payload }));
        let sizes = json!({ "error": "too_large", "bytes": self.size(), "limit": limit });
        let explained = failed(Payload::from_value(&sizes));
        Some(if explained.size() <= limit { explained } else { failed(Payload::default()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(payload: &str) -> Outgoing {
        let id = "00000000-0000-7000-8000-000000000001".parse().unwrap();
        let payload = Payload::from_text(payload);
        Outgoing::frame(&FromTerminal::Result(ResultFrame { id, ok: true, reason: None, payload }))
    }

    #[test]
    fn a_replacement_names_the_sizes_and_is_within_the_smallest_limit_of_a_node() {
        let large = result(&"x".repeat(1000));
        let explained = large.replacement(1000).unwrap();
        let text = explained.into_message().into_text().unwrap();
        assert!(text.contains(r#"{"bytes":1084,"error":"too_large","limit":1000}"#), "{text}");
        assert!(large.replacement(128).unwrap().size() <= 128);
        assert_eq!(Outgoing::text("x".repeat(1000)).replacement(128), None);
    }
}
