//! Operators' keys: what they allow, when they were last used, and how new ones are made.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    selector::Labels,
    token::{KeyLimits, Scope},
};

/// The body of `POST /v1/keys`. An unknown field is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// The operator's name, 1 to 128 bytes.
    pub name: String,
    /// What the key allows.
    pub scope: Scope,
    /// How long the key is valid; 30 days by default.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::DurationText"))]
    #[serde(default = "default_validity", with = "humantime_serde")]
    pub valid_for: Duration,
    /// The labels of the terminals that the key reaches; all terminals by default.
    #[serde(default)]
    pub labels: Labels,
    /// The names of the commands that the key may send; all by default.
    #[serde(default)]
    pub commands: Vec<String>,
}

/// As `muster-node key`.
fn default_validity() -> Duration {
    Duration::from_secs(30 * 24 * 3600)
}

/// A key, as it is stored and shown. The key itself is not part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct OperatorKey {
    /// The key's id (`jti`).
    pub id: String,
    /// The name of its owner (`sub`).
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// What it is limited to.
    #[serde(flatten)]
    pub limits: KeyLimits,
    /// The name of the secret that signed it, if the key says so.
    pub kid: Option<String>,
    /// The name of the operator who made it. Null if it was made by `muster-node key`.
    pub by: Option<String>,
    /// The id of the limited key that made it, with which it is revoked. Left out of the JSON if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// When it was made. Null if the key does not say so.
    #[cfg_attr(feature = "json-schema", schemars(with = "Option<crate::json_schema::Time>"))]
    pub created_at: Option<Timestamp>,
    /// The last second in which it is valid.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub expires_at: Timestamp,
    /// When it was last used, to a minute. Null before its first use.
    #[cfg_attr(feature = "json-schema", schemars(with = "Option<crate::json_schema::Time>"))]
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
    /// Whether it is revoked, as far as the node knows that answers.
    #[serde(default)]
    pub revoked: bool,
}

/// The answer to `POST /v1/keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct NewKey {
    /// The key, which is shown this once.
    pub key: String,
    /// What is stored of it.
    #[serde(flatten)]
    pub made: OperatorKey,
}

/// The answer to `POST /v1/session`: a token in the place of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct OperatorSession {
    /// The token, which is used as the key is.
    pub token: String,
    /// The last second in which the token is valid.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub expires_at: Timestamp,
    /// The last second in which any token of this session is valid.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub renew_until: Timestamp,
    /// The name of the key's owner.
    pub name: String,
    /// What the key allows: its scope, and those that it includes.
    pub scopes: Vec<Scope>,
    /// What the key is limited to. Left out of the JSON if there are no limits.
    #[serde(flatten)]
    pub limits: KeyLimits,
}

/// A page of keys, those first that expire first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct KeyPage {
    /// The keys that have not expired.
    pub keys: Vec<OperatorKey>,
    /// The value of `after` for the next page; null on the last one.
    pub next: Option<String>,
}

/// The answer to `DELETE /v1/keys/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct RevokedKey {
    /// The key's id.
    pub id: String,
    /// Whether the key is in the list of keys. One that was made by `muster-node key` and never used is not.
    pub known: bool,
    /// When the revocation ends.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub expires_at: Timestamp,
}
