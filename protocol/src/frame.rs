//! The frames of `muster.v1`: JSON text messages, one object each, told apart by `type`.
//! Unknown fields are ignored; an unknown type is an error that names it, so that the node can answer with [`FromNode::Error`].

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{CommandId, NodeId, Payload, SessionId, selector::Labels};

/// The WebSocket subprotocol of these frames.
pub const V1: &str = "muster.v1";
/// The subprotocol that asks for plain mode by name, beside a bearer.
pub const PLAIN: &str = "muster.plain";
/// The prefix of the subprotocol that carries a token, for browsers, which can't set a header.
pub const BEARER_PREFIX: &str = "muster.bearer.";

/// What a terminal says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromTerminal {
    /// First, within the node's deadline.
    Hello(Hello),
    /// A command has arrived.
    Ack(Ack),
    /// A command is under way.
    Progress(Progress),
    /// A command has ended.
    Result(Outcome),
    /// How the terminal fares.
    Health(Health),
    /// Anything else worth telling.
    Event(Event),
}

/// The first frame of a session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hello {
    /// The client's name and version.
    pub sdk: String,
    /// What the terminal says of itself; a token's labels win over these.
    pub labels: Labels,
    /// The last cursor it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
    /// Published once if the terminal is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub will: Option<Payload>,
}

/// Acknowledges a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ack {
    /// The command.
    pub id: CommandId,
}

/// A step of a command that takes a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The command.
    pub id: CommandId,
    /// Whatever the terminal tells of it.
    #[serde(default)]
    pub payload: Payload,
}

/// A command's end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The command.
    pub id: CommandId,
    /// Whether it succeeded.
    pub ok: bool,
    /// Why it was not even run, if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<NotRun>,
    /// The reply.
    #[serde(default)]
    pub payload: Payload,
}

/// Why a terminal did not run a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotRun {
    /// It does not know the command, or would not do it.
    Rejected,
    /// It came, or its turn came, after `expires_at`.
    Expired,
}

/// How a terminal fares, by its own judgement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// In one word.
    pub condition: Condition,
    /// In numbers.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
}

/// A terminal's condition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// All is well.
    #[default]
    Ok,
    /// It works, with restrictions.
    Degraded,
    /// It does not do its work.
    Failing,
}

/// A terminal's own event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// What it carries.
    #[serde(default)]
    pub payload: Payload,
}

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
    Error(Complaint),
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
pub struct Complaint {
    /// For programs.
    pub code: String,
    /// For people.
    pub message: String,
}

/// Why a text is no frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// No JSON, or a field is missing or of another kind.
    #[error("{0}")]
    Malformed(#[from] serde_json::Error),
    /// JSON with a `type` that this side does not know.
    #[error("unknown type {0:?}")]
    UnknownType(String),
}

/// The head of every frame. A derived `tag` would buffer the whole frame and lose each payload's text, hence two readings.
#[derive(Deserialize)]
struct Head {
    r#type: String,
}

fn read<T: DeserializeOwned, F>(text: &str, wrap: fn(T) -> F) -> Result<F, FrameError> {
    Ok(wrap(serde_json::from_str(text)?))
}

fn kind(text: &str) -> Result<String, FrameError> {
    Ok(serde_json::from_str::<Head>(text)?.r#type)
}

impl FromTerminal {
    /// Reads a text message.
    pub fn decode(text: &str) -> Result<Self, FrameError> {
        match kind(text)?.as_str() {
            "hello" => read(text, Self::Hello),
            "ack" => read(text, Self::Ack),
            "progress" => read(text, Self::Progress),
            "result" => read(text, Self::Result),
            "health" => read(text, Self::Health),
            "event" => read(text, Self::Event),
            other => Err(FrameError::UnknownType(other.to_owned())),
        }
    }
}

impl FromNode {
    /// Reads a text message.
    pub fn decode(text: &str) -> Result<Self, FrameError> {
        match kind(text)?.as_str() {
            "welcome" => read(text, Self::Welcome),
            "command" => read(text, Self::Command),
            "gap" => read(text, Self::Gap),
            "goodbye" => read(text, Self::Goodbye),
            "error" => read(text, Self::Error),
            other => Err(FrameError::UnknownType(other.to_owned())),
        }
    }
}

/// A frame is shown as the JSON text that goes on the wire.
macro_rules! shown_as_json {
    ($($frame:ty),*) => {$(
        impl fmt::Display for $frame {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
            }
        }
    )*};
}

shown_as_json!(FromTerminal, FromNode);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_survives_the_wire_to_the_letter() {
        let text = r#"{"type":"command","id":"0190163d-8694-739b-aea5-966c26f8ad91","name":"show","payload":{"z":1e400,"a":[1]},"expires_at":"2030-01-01T00:00:00Z"}"#;
        assert_eq!(FromNode::decode(text).unwrap().to_string(), text);
    }

    #[test]
    fn a_hello_needs_nothing_but_its_type() {
        assert_eq!(
            FromTerminal::decode(r#"{"type":"hello","later":1}"#).unwrap(),
            FromTerminal::Hello(Hello::default())
        );
    }

    #[test]
    fn an_unknown_type_is_named_and_nonsense_is_malformed() {
        assert!(matches!(FromTerminal::decode(r#"{"type":"dance"}"#), Err(FrameError::UnknownType(t)) if t == "dance"));
        for text in ["", "[]", "{}", r#"{"type":1}"#, r#"{"type":"ack"}"#, r#"{"type":"ack","id":"x"}"#] {
            assert!(matches!(FromTerminal::decode(text), Err(FrameError::Malformed(_))), "{text}");
        }
    }
}
