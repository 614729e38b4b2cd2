//! The frames that a terminal sends.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::read::{FrameError, frame, kind};
use crate::{
    CommandId, Payload,
    payload::{Base64Field, TwoPayloads, of_fields, write_field},
    selector::Labels,
};

/// A frame that a terminal sends.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromTerminal {
    /// `hello`: the first frame, within the node's `--hello-timeout`.
    Hello(Hello),
    /// `ack`: the terminal has a command.
    Ack(Ack),
    /// `progress`: the terminal runs a command.
    Progress(Progress),
    /// `result`: a command ended.
    Result(ResultFrame),
    /// `health`: the terminal's condition.
    Health(Health),
    /// `event`: an event of the terminal's own.
    Event(Event),
    /// `token`: a newer token, which extends the session.
    Token(TokenFrame),
}

impl FromTerminal {
    /// Reads a text message. Fails with [`FrameError`] if it is not a frame of a terminal.
    pub fn decode(text: &str) -> Result<Self, FrameError> {
        match kind(text)?.as_str() {
            "hello" => frame(text, Self::Hello),
            "ack" => frame(text, Self::Ack),
            "progress" => frame(text, Self::Progress),
            "result" => frame(text, Self::Result),
            "health" => frame(text, Self::Health),
            "event" => frame(text, Self::Event),
            "token" => frame(text, Self::Token),
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
    /// The terminal's labels. Labels in its token replace those of the same key.
    pub labels: Labels,
    /// The last cursor that the terminal received. `None`: it does not ask for what it missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
    /// The last will: a node publishes it once, as an event, if the session ends without a close by the terminal or the
    /// node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub will: Option<Payload>,
}

/// Acknowledges that a command arrived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ack {
    /// The command's id.
    pub id: CommandId,
}

/// Reports that a command is being run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ProgressFields")]
pub struct Progress {
    /// The command's id.
    pub id: CommandId,
    /// What the terminal reports, in any form; JSON null if missing. Replaces an earlier payload of this command.
    #[serde(flatten, serialize_with = "write_field")]
    pub payload: Payload,
}

#[derive(Deserialize)]
struct ProgressFields {
    id: CommandId,
    payload: Option<Payload>,
    payload_base64: Option<Base64Field>,
}

impl TryFrom<ProgressFields> for Progress {
    type Error = TwoPayloads;

    fn try_from(fields: ProgressFields) -> Result<Self, TwoPayloads> {
        Ok(Self { id: fields.id, payload: of_fields(fields.payload, fields.payload_base64)? })
    }
}

/// The frame `result`: how a command ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ResultFields")]
pub struct ResultFrame {
    /// The command's id.
    pub id: CommandId,
    /// Whether the command succeeded.
    pub ok: bool,
    /// Why the command was not run. `None` if it was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<NotRun>,
    /// The reply; JSON null if missing.
    #[serde(flatten, serialize_with = "write_field")]
    pub payload: Payload,
}

#[derive(Deserialize)]
struct ResultFields {
    id: CommandId,
    ok: bool,
    reason: Option<NotRun>,
    payload: Option<Payload>,
    payload_base64: Option<Base64Field>,
}

impl TryFrom<ResultFields> for ResultFrame {
    type Error = TwoPayloads;

    fn try_from(fields: ResultFields) -> Result<Self, TwoPayloads> {
        let ResultFields { id, ok, reason, payload, payload_base64 } = fields;
        Ok(Self { id, ok, reason, payload: of_fields(payload, payload_base64)? })
    }
}

/// Why a terminal did not run a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotRun {
    /// The terminal does not know the command, or refuses it.
    Rejected,
    /// The command arrived, or its share of the stagger ended, after `expires_at`.
    Expired,
}

/// A terminal's condition, as it judges itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// The condition. A change is published as an event.
    pub condition: Condition,
    /// Numbers of any meaning, at most 64, such as a temperature. They replace those reported before.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
}

/// A terminal's condition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The terminal works.
    #[default]
    Ok,
    /// The terminal works, with restrictions.
    Degraded,
    /// The terminal does not work.
    Failing,
}

/// A terminal's own event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "EventFields")]
pub struct Event {
    /// A name for this one event that the terminal chooses, of 1 to 64 bytes. The node answers with
    /// [`EventAck`](super::EventAck) once the event is stored. `None`: nothing is answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The event's name.
    pub name: String,
    /// The event's data; JSON null if missing.
    #[serde(flatten, serialize_with = "write_field")]
    pub payload: Payload,
}

#[derive(Deserialize)]
struct EventFields {
    id: Option<String>,
    name: String,
    payload: Option<Payload>,
    payload_base64: Option<Base64Field>,
}

impl TryFrom<EventFields> for Event {
    type Error = TwoPayloads;

    fn try_from(fields: EventFields) -> Result<Self, TwoPayloads> {
        Ok(Self { id: fields.id, name: fields.name, payload: of_fields(fields.payload, fields.payload_base64)? })
    }
}

/// The largest event that a node stores, and the largest will, in bytes: the name and the JSON of the payload together.
/// Of a larger event the node stores only the size, and tells the terminal by a frame `error`.
pub const EVENT_MAX: usize = 8 * 1024;

impl Event {
    /// Returns the size that [`EVENT_MAX`] bounds, in bytes.
    pub fn size(&self) -> usize {
        self.name.len() + self.payload.as_json().len()
    }
}

/// The frame `token`: a token of the same terminal that expires later than the token of the session. Its `Debug` form
/// is `***`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenFrame {
    /// The token, as in the header `Authorization`, without `Bearer`.
    pub token: String,
}

impl fmt::Debug for TokenFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
