//! Short answers: what was changed, by its id.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::EnrolmentState;
use crate::TerminalId;

/// The answer to `DELETE /v1/terminals/{id}` and `DELETE /v1/terminals/{id}/session`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct ChangedTerminal {
    /// The terminal's id.
    pub terminal: TerminalId,
}

/// The answer to `DELETE /v1/revocations/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct EndedRevocation {
    /// The revocation's id.
    pub id: Uuid,
}

/// The answer to `POST /v1/enrolments/{id}/approve`, and to `POST /v1/enrol` while an operator has to approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct EnrolmentProgress {
    /// Where the enrolment stands.
    pub state: EnrolmentState,
}
