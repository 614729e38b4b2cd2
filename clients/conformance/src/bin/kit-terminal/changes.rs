//! What the relay changes in the messages of a session.

use anyhow::bail;
use serde_json::Value;
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};

use crate::breaks::BrokenRule;

/// The changes in one session.
pub struct Changes {
    broken: BrokenRule,
    /// A command that waits for the next one, which is to overtake it.
    held: Option<Message>,
}

impl Changes {
    /// The changes that break this rule.
    pub fn new(broken: BrokenRule) -> Self {
        Self { broken, held: None }
    }

    /// What the kit gets in place of a message of the client.
    pub fn for_kit(&self, message: Message) -> Vec<Message> {
        let Some(mut frame) = frame_of(&message) else { return passed(message) };
        let kind = frame["type"].as_str().unwrap_or_default();
        match (self.broken, kind) {
            (BrokenRule::R7, "ack") => vec![Message::binary(frame.to_string())],
            (BrokenRule::R28, "token") => Vec::new(),
            (BrokenRule::R36, "result") => {
                frame["success"] = frame["ok"].take();
                vec![Message::text(frame.to_string())]
            }
            _ => passed(message),
        }
    }

    /// What the client gets in place of a message of the kit. An error ends the session.
    pub fn for_client(&mut self, message: Message) -> anyhow::Result<Vec<Message>> {
        if let (BrokenRule::R33, Message::Close(Some(close))) = (self.broken, &message)
            && u16::from(close.code) == 4001
        {
            let close = CloseFrame { code: 4509.into(), reason: close.reason.clone() };
            return Ok(vec![Message::Close(Some(close))]);
        }
        let Some(mut frame) = frame_of(&message) else { return Ok(passed(message)) };
        let kind = frame["type"].as_str().unwrap_or_default();
        match (self.broken, kind) {
            (BrokenRule::R6, "dance") => bail!("this client does not know the frame"),
            (BrokenRule::R11, "command") => frame["stagger_ms"] = 0.into(),
            (BrokenRule::R12, "command") if frame["payload"] == 1 && frame["dance"].is_null() => {
                return Ok(self.swapped(message));
            }
            (BrokenRule::R14, "command") => frame["cursor"] = Value::Null,
            (BrokenRule::R15, "welcome") => frame["resumed"] = false.into(),
            (BrokenRule::R26, "welcome") => frame["max_message"] = 1_000_000.into(),
            _ => return Ok(passed(message)),
        }
        Ok(vec![Message::text(frame.to_string())])
    }

    /// Each second command before the one that came before it.
    fn swapped(&mut self, message: Message) -> Vec<Message> {
        match self.held.take() {
            Some(held) => vec![message, held],
            None => {
                self.held = Some(message);
                Vec::new()
            }
        }
    }
}

/// A message as it came. The WebSocket layers answer pings.
fn passed(message: Message) -> Vec<Message> {
    if message.is_pong() { Vec::new() } else { vec![message] }
}

fn frame_of(message: &Message) -> Option<Value> {
    let Message::Text(text) = message else { return None };
    serde_json::from_str(text).ok().filter(Value::is_object)
}
