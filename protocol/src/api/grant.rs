//! A token that a node makes for a terminal.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::TerminalId;

/// The answer to `POST /v1/renew`, and to `POST /v1/enrol` when the terminal gets its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct TokenGrant {
    /// The terminal that the token lets in.
    pub terminal: TerminalId,
    /// The token.
    pub token: String,
    /// The last second in which the token is valid.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub expires_at: Timestamp,
}
