//! What a node says: one frame for each line of [`FromNode`].

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::read::{FrameError, frame, kind};
use crate::{CommandId, NodeId, Payload, SessionId};

/// What a node says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromNode {
    /// Answers the hello.
    Welcome(Welcome),
    /// Asks for something.
    Command(Command),
    /// Messages are missing, and will not come.
    Gap(Gap),
    /// A close follows.
    Goodbye(Goodbye),
    /// A frame could not be understood; the session goes on.
    Error(ErrorFrame),
}

impl FromNode {
    /// Reads a text message.
    pub fn decode(text: &str) -> Result<Self, FrameError> {
        match kind(text)?.as_str() {
            "welcome" => frame(text, Self::Welcome),
            "command" => frame(text, Self::Command),
            "gap" => frame(text, Self::Gap),
            "goodbye" => frame(text, Self::Goodbye),
            "error" => frame(text, Self::Error),
            other => Err(FrameError::UnknownType(other.to_owned())),
        }
    }
}

/// The largest message, in bytes, that a node takes from a terminal unless it is configured otherwise. A client assumes it until
/// the node's [`Welcome`] says what holds.
pub const DEFAULT_MAX_MESSAGE: u64 = 64 << 10;

fn default_max_message() -> u64 {
    DEFAULT_MAX_MESSAGE
}

/// The answer to a hello.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// This connection.
    pub session: SessionId,
    /// The node that holds it.
    pub node: NodeId,
    /// The node's clock, against which `expires_at` is judged.
    pub time: Timestamp,
    /// How often the node pings, in milliseconds.
    pub ping_ms: u64,
    /// The largest message, in bytes, that the node takes from this terminal: a longer one ends the session with 1009.
    /// [`DEFAULT_MAX_MESSAGE`] if the node does not say.
    #[serde(default = "default_max_message")]
    pub max_message: u64,
    /// Whether everything since `hello.resume` will follow.
    pub resumed: bool,
    /// Where the terminal stands now; opaque.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A command, the same bytes for each terminal it goes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// By which it is acknowledged, and known if it comes twice.
    pub id: CommandId,
    /// What to do.
    pub name: String,
    /// With what.
    #[serde(default)]
    pub payload: Payload,
    /// Not to be run after this time, by the node's clock.
    pub expires_at: Timestamp,
    /// To be handed back in a later `hello.resume`; opaque.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Each terminal waits a random share of these milliseconds before it runs the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stagger_ms: Option<u64>,
}

/// A range of messages that are lost to this terminal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// The cursor after which messages are missing.
    pub from: String,
    /// The cursor up to which they are.
    pub to: String,
    /// Why.
    pub reason: String,
}

/// Announces a close.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Goodbye {
    /// Why.
    pub reason: String,
    /// When to come back, if ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_ms: Option<u64>,
}

/// What was wrong with a frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorFrame {
    /// For programs.
    pub code: String,
    /// For people.
    pub message: String,
}
