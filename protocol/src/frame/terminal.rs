//! What a terminal says: one frame for each line of [`FromTerminal`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::read::{FrameError, frame, kind};
use crate::{CommandId, Payload, selector::Labels};

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
    Result(ResultFrame),
    /// How the terminal fares.
    Health(Health),
    /// Anything else worth telling.
    Event(Event),
}

impl FromTerminal {
    /// Reads a text message.
    pub fn decode(text: &str) -> Result<Self, FrameError> {
        match kind(text)?.as_str() {
            "hello" => frame(text, Self::Hello),
            "ack" => frame(text, Self::Ack),
            "progress" => frame(text, Self::Progress),
            "result" => frame(text, Self::Result),
            "health" => frame(text, Self::Health),
            "event" => frame(text, Self::Event),
            other => Err(FrameError::UnknownType(other.to_owned())),
        }
    }
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
pub struct ResultFrame {
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
