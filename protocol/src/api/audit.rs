//! The audit: who changed what.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{CommandId, TerminalId};

/// One call that changes something, or was refused as one. Fields that say nothing are left out of the JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct AuditRecord {
    /// When the call was answered, by the clock of the node that answered it.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub at: Timestamp,
    /// The name of the operator's key. Null without a key that was verified.
    pub by: Option<String>,
    /// The id of that key, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The address of the caller.
    pub address: String,
    /// The method.
    pub method: String,
    /// The path, with `{id}` in place of ids.
    pub route: String,
    /// The id in the path, of what is neither a terminal nor a command: a node, a key, a revocation or an enrolment; or of what was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The terminals that the call names, at most 32 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terminals: Vec<TerminalId>,
    /// The command that was made, retried or cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandId>,
    /// The number of terminals that the call was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<u64>,
    /// The status of the answer.
    pub status: u16,
    /// The kind of error: `title` of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether the call repeated an earlier one with the same `Idempotency-Key`, and so made nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
    /// `X-Request-Id` of the call and its answer.
    pub request_id: String,
    /// The SHA-256 of the body, in hexadecimal, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_sha256: Option<String>,
    /// The body, with `--audit-payloads`, if it has at most 4 KiB of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// A page of the audit, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct AuditPage {
    /// The records.
    pub records: Vec<AuditRecord>,
    /// The value of `before` for the next page; null on the last one. A page may be short, or empty, and not the last.
    pub next: Option<String>,
}
