//! A command as an operator requests it, and its state as the API shows it.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::state::{CommandState, TargetState};
use crate::{
    CommandId, Payload, Selector, TerminalId,
    partition::PartitionIndex,
    payload::{Base64Field, TwoPayloads, of_fields, write_field},
};

/// The body of `POST /v1/commands`. An unknown field is an error, so that a typo is not silently ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema), schemars(!try_from, deny_unknown_fields))]
#[serde(try_from = "RequestFields")]
pub struct CommandRequest {
    /// The terminals that the command is for.
    pub target: Selector,
    /// What to do, in a word that the terminals know.
    pub name: String,
    /// The command's arguments: any JSON, or bytes; JSON null by default.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::PayloadFields"))]
    #[serde(flatten, serialize_with = "write_field")]
    pub payload: Payload,
    /// How long after its acceptance the command may still be run, such as `"60s"` or `"2h"`; 60 s by default.
    #[cfg_attr(
        feature = "json-schema",
        schemars(with = "crate::json_schema::DurationText", default = "default_expiry")
    )]
    #[serde(with = "humantime_serde")]
    pub expires_in: Duration,
    /// What a target must report for the command to be done there; `ack` by default.
    #[cfg_attr(feature = "json-schema", schemars(default))]
    pub confirm: Confirm,
    /// What happens to targets that are offline; `queue` by default.
    #[cfg_attr(feature = "json-schema", schemars(default))]
    pub offline: Offline,
    /// Each terminal waits a random time between 0 and this before it runs the command, so that a fleet does not act in
    /// the same instant; 0 by default.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::DurationText", default))]
    #[serde(with = "humantime_serde")]
    pub stagger: Duration,
    /// The number of targets per second that the command is sent to. By default it is sent to all at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
}

/// The fields of a [`CommandRequest`] as they are read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestFields {
    target: Selector,
    name: String,
    payload: Option<Payload>,
    payload_base64: Option<Base64Field>,
    #[serde(default = "default_expiry", with = "humantime_serde")]
    expires_in: Duration,
    #[serde(default)]
    confirm: Confirm,
    #[serde(default)]
    offline: Offline,
    #[serde(default, with = "humantime_serde")]
    stagger: Duration,
    rate: Option<f64>,
}

impl TryFrom<RequestFields> for CommandRequest {
    type Error = TwoPayloads;

    fn try_from(fields: RequestFields) -> Result<Self, TwoPayloads> {
        let RequestFields { target, name, payload, payload_base64, expires_in, confirm, offline, stagger, rate } =
            fields;
        let payload = of_fields(payload, payload_base64)?;
        Ok(Self { target, name, payload, expires_in, confirm, offline, stagger, rate })
    }
}

/// An operator looks at a screen: a command that was not delivered in a minute is probably no longer wanted.
fn default_expiry() -> Duration {
    Duration::from_secs(60)
}

/// What a target must report for a command to be done there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Confirm {
    /// Nothing: it is enough that the command was sent.
    None,
    /// An ack.
    #[default]
    Ack,
    /// A result.
    Result,
}

/// What happens to a target that is offline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Offline {
    /// The target receives the command if it comes back before the command expires.
    #[default]
    Queue,
    /// The target is left out. If the selector names the terminal, the request fails with 409.
    Skip,
}

/// A command, in the answers to `POST /v1/commands` and `GET /v1/commands/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct CommandView {
    /// The command's id.
    pub id: CommandId,
    /// The name from the request.
    pub name: String,
    /// Whether the state of targets can still change.
    pub state: CommandState,
    /// The number of targets, fixed when the command was accepted.
    pub targets: u64,
    /// The number of targets in each state. States without a target may be missing.
    #[cfg_attr(feature = "json-schema", schemars(with = "BTreeMap<String, u64>"))]
    pub counts: BTreeMap<TargetState, u64>,
    /// When the command was accepted.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub created_at: Timestamp,
    /// The time after which no terminal runs the command.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub expires_at: Timestamp,
    /// False if the store was not available and the command went directly to the terminal; it can't be looked up later.
    /// Left out of the JSON if true.
    #[serde(default = "stored", skip_serializing_if = "is_stored")]
    pub stored: bool,
    /// Who asked for the command: the name of the operator's key. Null on a node with `--insecure` that got no key.
    #[serde(default)]
    pub by: Option<String>,
    /// The selector from the request. Only in answers about commands that were accepted before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Selector>,
    /// The payload from the request, if it is JSON. Only in the answer to `GET /v1/commands/{id}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
    /// The same if it is bytes: their base64.
    #[cfg_attr(feature = "json-schema", schemars(with = "Option<String>"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<Payload>,
    /// With `?wait`, and if there are few targets: the state of each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<Vec<TargetView>>,
    /// Partitions of the store that did not answer: the states of their targets are not in `counts`. Left out of the JSON if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<PartitionIndex>,
    /// Partitions of the store that had targets of the command and have nothing of it any more: the states of their targets are not in
    /// `counts`. Left out of the JSON if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<PartitionIndex>,
}

fn stored() -> bool {
    true
}

fn is_stored(stored: &bool) -> bool {
    *stored
}

/// One target of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema), schemars(!try_from))]
#[serde(try_from = "TargetFields")]
pub struct TargetView {
    /// The terminal's id.
    pub terminal: TerminalId,
    /// The state of the command at this terminal.
    pub state: TargetState,
    /// The time of each step so far, by the step's name: `queued`, `sent`, `acked`, `running`, and `ended` for every
    /// final state.
    #[cfg_attr(feature = "json-schema", schemars(with = "BTreeMap<String, crate::json_schema::Time>"))]
    pub at: BTreeMap<String, Timestamp>,
    /// The payload of the terminal's last progress or result for this command. JSON null before that.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::PayloadFields"))]
    #[serde(flatten, serialize_with = "write_field")]
    pub payload: Payload,
}

/// The fields of a [`TargetView`] as they are read.
#[derive(Deserialize)]
struct TargetFields {
    terminal: TerminalId,
    state: TargetState,
    at: BTreeMap<String, Timestamp>,
    payload: Option<Payload>,
    payload_base64: Option<Base64Field>,
}

impl TryFrom<TargetFields> for TargetView {
    type Error = TwoPayloads;

    fn try_from(fields: TargetFields) -> Result<Self, TwoPayloads> {
        let TargetFields { terminal, state, at, payload, payload_base64 } = fields;
        Ok(Self { terminal, state, at, payload: of_fields(payload, payload_base64)? })
    }
}

/// The answer to `GET /v1/commands/{id}/targets`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct TargetPage {
    /// Targets in an order that stays the same.
    pub targets: Vec<TargetView>,
    /// The value of `after` for the next page. Null on the last page. A page may be short, or empty, and not the last.
    pub next: Option<String>,
    /// Partitions of the store that did not answer: what they have is not included. Left out of the JSON if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<PartitionIndex>,
    /// Partitions of the store that would have targets on this page and have nothing of the command any more. Left out of the JSON if
    /// empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<PartitionIndex>,
}

/// The answer to `GET /v1/commands/{id}/cells`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct CommandCells {
    /// The letter of the state of each target, in the order of `/targets`.
    pub cells: String,
    /// The number of targets, with those that have no letter since their partitions are missing.
    pub targets: u64,
    /// Partitions of the store that did not answer: their targets have no letters. Left out of the JSON if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<PartitionIndex>,
    /// Partitions of the store that had targets and have nothing of the command any more. Left out of the JSON if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<PartitionIndex>,
}

/// The answer to `GET /v1/commands`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct CommandPage {
    /// Commands, newest first, without their payloads. The `target` of a command that names more than 100 terminals is left out.
    pub commands: Vec<CommandView>,
    /// The value of `after` for the next page. Null on the last page. A page may be short, or empty, and not the last.
    pub next: Option<String>,
    /// Partitions of the store that did not answer: what they have is not included. Left out of the JSON if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<PartitionIndex>,
}

/// The answer to `POST /v1/commands?dry_run=1`, which accepts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct DryRun {
    /// The number of targets that the command would have.
    pub targets: u64,
    /// How many of them are online.
    pub online: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_needs_a_target_and_a_name_and_knows_its_fields() {
        let request: CommandRequest = serde_json::from_str(r#"{"target":{"all":true},"name":"reboot"}"#).unwrap();
        assert_eq!((request.expires_in, request.payload.as_json()), (Duration::from_secs(60), "null"));
        assert_eq!((request.confirm, request.offline), (Confirm::Ack, Offline::Queue));
        let typo = serde_json::from_str::<CommandRequest>(r#"{"target":{"all":true},"name":"x","expire_in":"1s"}"#)
            .unwrap_err();
        assert!(typo.to_string().contains("expire_in"), "{typo}");
    }
}
