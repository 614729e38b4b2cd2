//! The frames that a node sends.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::read::{FrameError, frame, kind};
use crate::{
    CommandId, NodeId, Payload, SessionId,
    payload::{Base64Field, TwoPayloads, of_fields, write_field},
};

/// A frame that a node sends.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromNode {
    /// `welcome`: answers the hello. The first frame of a node.
    Welcome(Welcome),
    /// `command`: a command to run.
    Command(Command),
    /// `ack`: an event of the terminal is stored.
    Ack(EventAck),
    /// `gap`: commands for this terminal were lost and will not arrive.
    Gap(Gap),
    /// `goodbye`: a close follows.
    Goodbye(Goodbye),
    /// `error`: the node could not use a frame of the terminal. The session goes on.
    Error(ErrorFrame),
}

impl FromNode {
    /// Reads a text message. Fails with [`FrameError`] if it is not a frame of a node.
    pub fn decode(text: &str) -> Result<Self, FrameError> {
        match kind(text)?.as_str() {
            "welcome" => frame(text, Self::Welcome),
            "command" => frame(text, Self::Command),
            "ack" => frame(text, Self::Ack),
            "gap" => frame(text, Self::Gap),
            "goodbye" => frame(text, Self::Goodbye),
            "error" => frame(text, Self::Error),
            other => Err(FrameError::UnknownType(other.to_owned())),
        }
    }
}

/// The largest message, in bytes, that a node takes from a terminal by default. A client assumes this limit until the
/// node's [`Welcome`] names another.
pub const DEFAULT_MAX_MESSAGE: u64 = 64 << 10;

fn default_max_message() -> u64 {
    DEFAULT_MAX_MESSAGE
}

/// The answer to a hello.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The id of this session.
    pub session: SessionId,
    /// The node that holds the session.
    pub node: NodeId,
    /// The node's time. A terminal compares [`Command::expires_at`] with it, since its own clock may be wrong.
    pub time: Timestamp,
    /// The interval between the node's pings, in milliseconds.
    pub ping_ms: u64,
    /// The largest message, in bytes, that the node takes from this terminal; a longer one ends the session with 1009.
    /// [`DEFAULT_MAX_MESSAGE`] if the node does not say.
    #[serde(default = "default_max_message")]
    pub max_message: u64,
    /// Whether all commands after the cursor in [`Hello::resume`](super::Hello::resume) follow.
    pub resumed: bool,
    /// The terminal's cursor at this moment; opaque. `None` if the store is not available.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A command. Each terminal that it is for gets the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "CommandFields")]
pub struct Command {
    /// The command's id. By it a terminal acknowledges the command, and notices a command that arrives twice.
    pub id: CommandId,
    /// What to do, in a word that the operator and the terminal agree on.
    pub name: String,
    /// The command's arguments. JSON null if missing.
    #[serde(flatten, serialize_with = "write_field")]
    pub payload: Payload,
    /// The time, by the node's clock, after which the terminal must not run the command.
    pub expires_at: Timestamp,
    /// The terminal's cursor after this command, which it sends in a later hello; opaque. `None` for a command to one
    /// terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The longest delay, in milliseconds: the terminal waits a random time between 0 and this before it runs the
    /// command. So a fleet does not act in the same instant. `None`: it does not wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stagger_ms: Option<u64>,
}

#[derive(Deserialize)]
struct CommandFields {
    id: CommandId,
    name: String,
    payload: Option<Payload>,
    payload_base64: Option<Base64Field>,
    expires_at: Timestamp,
    cursor: Option<String>,
    stagger_ms: Option<u64>,
}

impl TryFrom<CommandFields> for Command {
    type Error = TwoPayloads;

    fn try_from(fields: CommandFields) -> Result<Self, TwoPayloads> {
        let CommandFields { id, name, payload, payload_base64, expires_at, cursor, stagger_ms } = fields;
        let payload = of_fields(payload, payload_base64)?;
        Ok(Self { id, name, payload, expires_at, cursor, stagger_ms })
    }
}

/// The frame `ack` of a node: an event is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventAck {
    /// The [`Event::id`](super::Event::id) of the event.
    pub id: String,
}

/// A range of commands that are lost to this terminal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// The cursor after which commands are missing.
    pub from: String,
    /// The cursor up to which commands are missing; the terminal's new cursor.
    pub to: String,
    /// Why the commands are lost, for logs: `the log no longer has them` or `the store was lost`.
    pub reason: String,
}

/// Announces a close.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Goodbye {
    /// Why the node closes the session, for logs.
    pub reason: String,
    /// How long the terminal waits after the close before it reconnects, in milliseconds. `None` leaves it to the close
    /// code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_ms: Option<u64>,
}

/// The [`ErrorFrame::code`] for a token that did not extend the session. The session goes on until its own token
/// expires.
pub const TOKEN_REFUSED: &str = "token_refused";
/// The [`ErrorFrame::code`] for a token that came within a second of another, so that the node did not look at it.
pub const TOKEN_TOO_SOON: &str = "token_too_soon";

/// The [`ErrorFrame::code`] for an event or will over [`EVENT_MAX`](super::EVENT_MAX).
pub const TOO_LARGE: &str = "too_large";

/// The frame `error`: what was wrong with a frame of the terminal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorFrame {
    /// The kind of error, for programs: `bad_frame`, [`TOO_LARGE`], [`TOKEN_REFUSED`] or [`TOKEN_TOO_SOON`].
    pub code: String,
    /// What was wrong, for people.
    pub message: String,
}
