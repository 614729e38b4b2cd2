//! Enrolments: how a terminal gets its first token.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{TerminalId, selector::Labels};

/// The body of `POST /v1/enrolments`. An unknown field is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EnrolmentRequest {
    /// The only terminal that may use the code. By default the terminal that uses it says its own id.
    pub terminal: Option<TerminalId>,
    /// The labels in the terminal's token; none by default.
    #[serde(default)]
    pub labels: Labels,
    /// How long the code can be used; 1 hour by default.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::DurationText"))]
    #[serde(default = "default_expiry", with = "humantime_serde")]
    pub expires_in: Duration,
    /// How long the token is valid; 30 days by default.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::DurationText"))]
    #[serde(default = "default_validity", with = "humantime_serde")]
    pub valid_for: Duration,
    /// How long each token is valid that the terminal gets by renewing; by default the token can't be renewed.
    #[cfg_attr(feature = "json-schema", schemars(with = "Option<crate::json_schema::DurationText>"))]
    #[serde(default, with = "humantime_serde")]
    pub renew: Option<Duration>,
    /// Whether an operator has to approve the terminal that uses the code; not by default.
    #[serde(default)]
    pub approve: bool,
}

/// Whoever makes a code stands before the box.
fn default_expiry() -> Duration {
    Duration::from_secs(3600)
}

/// As `muster-node token`.
fn default_validity() -> Duration {
    Duration::from_secs(30 * 24 * 3600)
}

/// An enrolment, as it is stored and shown. The code is not part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Enrolment {
    /// The enrolment's id, which follows from the code and does not tell it.
    pub id: String,
    /// Where it stands.
    pub state: EnrolmentState,
    /// The only terminal that may use the code; once a terminal has asked for approval, that one. Null if any may.
    pub terminal: Option<TerminalId>,
    /// The address from which a terminal asked for approval. Null before that.
    pub address: Option<String>,
    /// The labels in the terminal's token.
    pub labels: Labels,
    /// How long the token is valid, in seconds.
    pub valid_s: u64,
    /// How long each token is valid that the terminal gets by renewing, in seconds. Null if the token can't be renewed.
    pub renew_s: Option<u64>,
    /// Whether an operator has to approve.
    pub approve: bool,
    /// The name of the operator who made it.
    pub by: String,
    /// When it was made.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub created_at: Timestamp,
    /// When the code can't be used any more.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub expires_at: Timestamp,
}

/// Where an enrolment stands. One whose token was given out is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EnrolmentState {
    /// Nobody has used the code.
    Open,
    /// A terminal has used the code, and waits for an operator's approval.
    Waiting,
    /// An operator has approved the terminal, which has not asked again yet.
    Approved,
}

/// The answer to `POST /v1/enrolments`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct NewEnrolment {
    /// The code, which is shown this once.
    pub code: String,
    /// The enrolment.
    #[serde(flatten)]
    pub enrolment: Enrolment,
}

/// A page of enrolments, those first that end first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct EnrolmentPage {
    /// The enrolments.
    pub enrolments: Vec<Enrolment>,
    /// The value of `after` for the next page; null on the last one.
    pub next: Option<String>,
}

/// The body of `POST /v1/enrol`. An unknown field is an error.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// The code. Blanks and hyphens in it, and whether letters are large, do not matter.
    pub code: String,
    /// The terminal's id. It can be left out if the code is for one terminal.
    pub terminal: Option<TerminalId>,
}
