//! A wave as it is asked for.

use serde::{Deserialize, Serialize};

/// A part of a rollout's targets, which get the command together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(try_from = "WaveFields", into = "WaveFields")]
pub struct WaveRequest {
    /// How many of the targets it has.
    pub size: WaveSize,
    /// The number of targets per second that the command is sent to. By default it is sent to all at once.
    pub rate: Option<f64>,
}

/// How many of a rollout's targets a wave has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WaveSize {
    /// So many.
    Count(u64),
    /// So many of a hundred of all targets, rounded up.
    Percent(f64),
    /// All that no wave before has had.
    Rest,
}

/// The fields of a [`WaveRequest`] in JSON.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct WaveFields {
    /// So many targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// So many of a hundred of all targets, rounded up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    percent: Option<f64>,
    /// All targets that no wave before has had. It is true, and of the last wave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rest: Option<bool>,
    /// The number of targets per second that the command is sent to. By default it is sent to all at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
}

impl TryFrom<WaveFields> for WaveRequest {
    type Error = &'static str;

    fn try_from(fields: WaveFields) -> Result<Self, Self::Error> {
        let size = match fields {
            WaveFields { count: Some(count), percent: None, rest: None, .. } => WaveSize::Count(count),
            WaveFields { count: None, percent: Some(percent), rest: None, .. } => WaveSize::Percent(percent),
            WaveFields { count: None, percent: None, rest: Some(true), .. } => WaveSize::Rest,
            _ => return Err("a wave has one of count, percent and rest, and rest is true"),
        };
        Ok(Self { size, rate: fields.rate })
    }
}

impl From<WaveRequest> for WaveFields {
    fn from(wave: WaveRequest) -> Self {
        let empty = Self { count: None, percent: None, rest: None, rate: wave.rate };
        match wave.size {
            WaveSize::Count(count) => Self { count: Some(count), ..empty },
            WaveSize::Percent(percent) => Self { percent: Some(percent), ..empty },
            WaveSize::Rest => Self { rest: Some(true), ..empty },
        }
    }
}
