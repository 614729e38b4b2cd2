//! Tokens: their claims, the secrets that sign them, and how a token is signed and read. Any system that shares a
//! secret can make tokens for its terminals.
//!
//! A terminal's token and an operator's key are both JSON Web Tokens (RFC 7519). A node never accepts one as the other:
//! only an operator's key names [`OPERATOR`] or [`LIMITED_OPERATOR`] as its audience, and a terminal's token names
//! [`TERMINAL`] or no audience.

mod claims;
mod jwt;
mod limits;
mod secret;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use self::{
    claims::{ClaimError, ClaimFault, Claims, NBF_LEEWAY},
    jwt::{Algorithm, Jwt, TokenError, VerifiedJwt, sign, unverified_expiry},
    limits::{InvalidLimits, KeyLimits},
    secret::{InvalidSecret, InvalidSecretLine, Secret},
};
use crate::{TerminalId, selector::Labels};

/// The audience of a terminal's token, which may have none.
pub const TERMINAL: &str = "muster-terminal";
/// The audience of an operator's key.
pub const OPERATOR: &str = "muster-operator";
/// The audience of an operator's key that has limits. A node that knows no limits refuses such a key, and so does not
/// ignore its limits.
pub const LIMITED_OPERATOR: &str = "muster-limited-operator";

/// The claims with which a terminal's token is made. [`Claims`] reads them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TerminalClaims {
    /// The terminal's id.
    pub sub: TerminalId,
    /// The last second in which the token is valid, since 1970.
    pub exp: u64,
    /// When the token was made, in seconds since 1970. A token without it is covered by every revocation of tokens that
    /// were issued before some time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
    /// The token's own id, by which it can be revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// How long a node makes the token valid for which this one is traded, in seconds. `None` if this token can't be
    /// renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renew: Option<u64>,
    /// [`TERMINAL`] or `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    /// Labels of the terminal. Labels in its hello can't replace them.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Keys of labels that the terminal may say in its hello without the prefix
    /// [`SELF_PREFIX`](crate::selector::SELF_PREFIX).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub say: Vec<String>,
}

impl TerminalClaims {
    /// Returns the claims that every token has.
    pub fn new(sub: TerminalId, exp: u64) -> Self {
        Self { sub, exp, iat: None, jti: None, renew: None, aud: None, labels: Labels::new(), say: Vec::new() }
    }
}

/// The claims with which an operator's key is made. [`Claims`] reads them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OperatorClaims {
    /// The name of the key's owner.
    pub sub: String,
    /// The last second in which the key is valid, since 1970.
    pub exp: u64,
    /// When the key was made, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
    /// The key's own id, by which it can be revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// [`OPERATOR`], or [`LIMITED_OPERATOR`] with limits.
    pub aud: String,
    /// What the key allows.
    pub scope: Scope,
    /// What the key is limited to.
    #[serde(flatten)]
    pub limits: KeyLimits,
    /// The id of the limited key that made this one. When that key is revoked, this one is revoked too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

impl OperatorClaims {
    /// Returns the claims of a key of the operator with this name.
    pub fn new(name: &str, exp: u64, scope: Scope) -> Self {
        let (aud, limits) = (OPERATOR.into(), KeyLimits::default());
        Self { sub: name.into(), exp, iat: None, jti: None, aud, scope, limits, origin: None }
    }

    /// Returns the claims with these limits.
    #[must_use]
    pub fn limited_to(self, limits: KeyLimits) -> Self {
        let aud = if limits.is_empty() { OPERATOR } else { LIMITED_OPERATOR };
        Self { aud: aud.into(), limits, ..self }
    }
}

/// What an operator may do. Each scope includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Read everything.
    Read,
    /// Send commands.
    Command,
    /// Drain nodes, label, disconnect and remove terminals, and revoke tokens and keys.
    Admin,
}

impl Scope {
    /// Every scope, each of which includes those before it.
    pub const ALL: [Self; 3] = [Self::Read, Self::Command, Self::Admin];

    /// Returns this scope and those that it includes.
    pub fn included(self) -> Vec<Self> {
        Self::ALL.into_iter().filter(|scope| *scope <= self).collect()
    }
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
        assert_eq!(Scope::Read.included(), [Scope::Read]);
        assert_eq!(Scope::Admin.included(), Scope::ALL);
    }
}
