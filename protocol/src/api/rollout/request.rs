//! A rollout as an operator requests it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{TimeWindow, WaveRequest};
use crate::{
    Payload, Selector,
    api::Confirm,
    payload::{Base64Field, TwoPayloads, of_fields, write_field},
};

/// The body of `POST /v1/rollouts`. An unknown field is an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RolloutRequest {
    /// The terminals that the rollout is for. They are frozen when it starts.
    pub target: Selector,
    /// What each wave sends.
    pub command: RolloutCommand,
    /// The waves, in their order.
    pub waves: Vec<WaveRequest>,
    /// When the next wave begins.
    #[serde(default)]
    pub advance: AdvanceRule,
    /// When the rollout stops by itself.
    #[serde(default)]
    pub stop: StopRule,
    /// When the rollout starts; at once by default.
    #[cfg_attr(feature = "json-schema", schemars(with = "Option<crate::json_schema::Time>"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Timestamp>,
    /// The only times at which something is sent; always by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<TimeWindow>,
}

/// The command of a rollout. Terminals that are offline get it if they come back before it expires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema), schemars(!try_from, deny_unknown_fields))]
#[serde(try_from = "CommandFields")]
pub struct RolloutCommand {
    /// What to do, in a word that the terminals know.
    pub name: String,
    /// The command's arguments: any JSON, or bytes; JSON null by default.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::PayloadFields"))]
    #[serde(flatten, serialize_with = "write_field")]
    pub payload: Payload,
    /// What a target must report for the command to be done there; `ack` by default.
    #[cfg_attr(feature = "json-schema", schemars(default))]
    pub confirm: Confirm,
    /// How long after it was sent the command may still be run; as long as `advance.within` by default.
    #[cfg_attr(feature = "json-schema", schemars(with = "Option<crate::json_schema::DurationText>"))]
    #[serde(with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Duration>,
    /// Each terminal waits a random time between 0 and this before it runs the command; 0 by default.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::DurationText", default))]
    #[serde(with = "humantime_serde")]
    pub stagger: Duration,
}

/// The fields of a [`RolloutCommand`] as they are read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandFields {
    name: String,
    payload: Option<Payload>,
    payload_base64: Option<Base64Field>,
    #[serde(default)]
    confirm: Confirm,
    #[serde(default, with = "humantime_serde")]
    expires_in: Option<Duration>,
    #[serde(default, with = "humantime_serde")]
    stagger: Duration,
}

impl TryFrom<CommandFields> for RolloutCommand {
    type Error = TwoPayloads;

    fn try_from(fields: CommandFields) -> Result<Self, TwoPayloads> {
        let CommandFields { name, payload, payload_base64, confirm, expires_in, stagger } = fields;
        Ok(Self { name, payload: of_fields(payload, payload_base64)?, confirm, expires_in, stagger })
    }
}

/// When a wave has succeeded, so that the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AdvanceRule {
    /// The share of the wave's targets that have confirmed the command, from 0 to 1; 0.95 by default.
    pub succeeded: f64,
    /// A target that has not confirmed the command for so long is silent; 10 min by default.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::DurationText"))]
    #[serde(with = "humantime_serde")]
    pub within: Duration,
}

impl Default for AdvanceRule {
    fn default() -> Self {
        Self { succeeded: 0.95, within: Duration::from_secs(600) }
    }
}

/// Beyond which shares a rollout stops by itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct StopRule {
    /// The share of failures among those of the wave's targets that have answered or are silent, from 0 to 1; 0.1 by default.
    pub failed: f64,
    /// The share of silent targets among all of the wave, from 0 to 1; 0.1 by default.
    pub silent: f64,
    /// Shares are judged once so many targets of the wave have answered or are silent, or all if the wave has fewer; 5 by default.
    pub minimum: u64,
}

impl Default for StopRule {
    fn default() -> Self {
        Self { failed: 0.1, silent: 0.1, minimum: 5 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::WaveSize;

    #[test]
    fn a_request_has_defaults_and_is_read_as_it_is_written() {
        let text = r#"{"target":{"all":true},"command":{"name":"update","payload":{"to":"2.1"}},"waves":[{"count":10},{"rest":true,"rate":50}]}"#;
        let request: RolloutRequest = serde_json::from_str(text).unwrap();
        assert_eq!(request.command.payload.as_json(), r#"{"to":"2.1"}"#);
        assert_eq!((request.advance.succeeded, request.stop.minimum), (0.95, 5));
        assert_eq!((request.waves[0].size, request.waves[1].rate), (WaveSize::Count(10), Some(50.0)));
        let written = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<RolloutRequest>(&written).unwrap(), request, "{written}");
    }

    #[test]
    fn a_typo_and_a_wave_of_two_sizes_are_refused() {
        let read = |text: &str| serde_json::from_str::<RolloutRequest>(text).map_err(|error| error.to_string());
        let with = |fields: &str| read(&format!(r#"{{"target":{{"all":true}},"command":{{"name":"x"}},{fields}}}"#));
        assert!(with(r#""waves":[{"rest":true}]"#).is_ok());
        for (fields, says) in [
            (r#""waves":[{"count":1,"rest":true}]"#, "one of count, percent and rest"),
            (r#""waves":[{}]"#, "one of count, percent and rest"),
            (r#""waves":[{"rest":false}]"#, "one of count, percent and rest"),
            (r#""waves":[{"rest":true,"pause":1}]"#, "pause"),
            (r#""waves":[],"advance":{"suceeded":1}"#, "suceeded"),
            (r#""waves":[],"window":{"days":[],"from":"7:00","to":"08:00","zone":"UTC"}"#, "HH:MM"),
        ] {
            let error = with(fields).unwrap_err();
            assert!(error.contains(says), "{fields}: {error}");
        }
    }
}
