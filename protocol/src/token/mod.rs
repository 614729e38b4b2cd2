//! Tokens: their claims, the secrets that sign them, and how a token is signed and read. Any system that shares a secret can make
//! tokens for its terminals.
//!
//! A terminal's token and an operator's key are both JSON Web Tokens (RFC 7519). One is never accepted as the other: only an
//! operator's key names [`OPERATOR`] as its audience, and a terminal's token names [`TERMINAL`] or no audience.

mod jwt;
mod secret;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use self::{
    jwt::{Algorithm, Jwt, TokenError, VerifiedJwt, sign},
    secret::{InvalidSecret, Secret},
};
use crate::{TerminalId, selector::Labels};

/// The audience of a terminal's token; may be left out there.
pub const TERMINAL: &str = "muster-terminal";
/// The audience of an operator's key.
pub const OPERATOR: &str = "muster-operator";

/// The claims of a terminal's token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalClaims {
    /// The terminal.
    pub sub: TerminalId,
    /// Valid until, in seconds since 1970.
    pub exp: u64,
    /// [`TERMINAL`], or left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    /// Labels that the terminal can't change.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}

/// The claims of an operator's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorClaims {
    /// Whose key it is.
    pub sub: String,
    /// Valid until, in seconds since 1970.
    pub exp: u64,
    /// [`OPERATOR`].
    pub aud: String,
    /// What it allows.
    pub scope: Scope,
}

/// What an operator may do. Each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Look.
    Read,
    /// Send commands.
    Command,
    /// Change nodes and terminals.
    Admin,
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "read" => Ok(Self::Read),
            "command" => Ok(Self::Command),
            "admin" => Ok(Self::Admin),
            other => Err(format!("a scope is read, command or admin, not {other:?}")),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Command => "command",
            Self::Admin => "admin",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_includes_those_below_it() {
        assert!(Scope::Admin > Scope::Command && Scope::Command > Scope::Read);
    }
}
