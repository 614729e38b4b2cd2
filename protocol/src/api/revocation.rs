//! Revocations: which tokens and keys are refused though they have not expired.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::TerminalId;

/// What a revocation is about: the tokens and keys that have all of what is given here. At least one thing is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct RevokedTokens {
    /// The terminal's id (`sub`) in its token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<TerminalId>,
    /// The operator's name (`sub`) in the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The token's own id (`jti`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// The name of the key that signed the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// Tokens that were issued (`iat`) in this second or before, and those that do not say when. In a request without `token_id` it is
    /// the time of the request by default, so that a token made later lets the terminal in again.
    #[cfg_attr(feature = "json-schema", schemars(with = "Option<crate::json_schema::Time>"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<Timestamp>,
}

/// The body of `POST /v1/revocations`. An unknown field is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RevocationRequest {
    /// The terminal's id (`sub`) in its token.
    pub terminal: Option<TerminalId>,
    /// The operator's name (`sub`) in the key.
    pub operator: Option<String>,
    /// The token's own id (`jti`).
    pub token_id: Option<String>,
    /// The name of the key that signed the token.
    pub kid: Option<String>,
    /// Tokens that were issued in this second or before.
    #[cfg_attr(feature = "json-schema", schemars(with = "Option<crate::json_schema::Time>"))]
    pub issued_before: Option<Timestamp>,
    /// How long the revocation is stored: at least as long as the tokens would be valid. 30 days by default.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::DurationText"))]
    #[serde(default = "default_expiry", with = "humantime_serde")]
    pub expires_in: Duration,
}

/// As long as `muster-node token` makes tokens for by default.
fn default_expiry() -> Duration {
    Duration::from_secs(30 * 24 * 3600)
}

/// A revocation, as it is stored and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Revocation {
    /// The revocation's id, a UUIDv7.
    pub id: Uuid,
    /// What it is about.
    #[serde(flatten)]
    pub tokens: RevokedTokens,
    /// The name of the operator who made it.
    pub by: String,
    /// When it was made.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub created_at: Timestamp,
    /// When it ends.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub expires_at: Timestamp,
}

/// A page of revocations, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct RevocationPage {
    /// The revocations.
    pub revocations: Vec<Revocation>,
    /// The value of `after` for the next page; null on the last one.
    pub next: Option<Uuid>,
}
