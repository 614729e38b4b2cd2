//! What a token says, and the secret it is signed with. Signing and checking are the programs' own; the shapes are shared, so
//! that a load generator can make the tokens of its terminals and any other system can make them too.
//!
//! A terminal's token and an operator's key are both JWTs. They can't stand in for each other: only a key names [`OPERATOR`]
//! as its audience, and a token that names any audience but [`TERMINAL`] is no terminal's.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{TerminalId, selector::Labels};

/// The audience of a terminal's token; may be left out there.
pub const TERMINAL: &str = "muster-terminal";
/// The audience of an operator's key.
pub const OPERATOR: &str = "muster-operator";
/// Short secrets can be guessed offline from one token; HS256 wants as many bytes as its hash has.
const SECRET_MIN: usize = 32;

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

/// A signing secret with the name that tokens call it by (`kid`), written `KID=SECRET`. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The name in a token's header.
    pub kid: String,
    secret: String,
}

/// Why a text is no secret; does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret is written KID=SECRET: a name of 1 to 32 characters, and at least {SECRET_MIN} characters of secret")]
pub struct InvalidSecret;

impl Secret {
    /// The bytes to sign with.
    pub fn as_bytes(&self) -> &[u8] {
        self.secret.as_bytes()
    }

    /// As it is written in a flag or an environment variable: only for the one who asked for a new one.
    pub fn reveal(&self) -> String {
        format!("{}={}", self.kid, self.secret)
    }
}

impl FromStr for Secret {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        let (kid, secret) = text.trim().split_once('=').ok_or(InvalidSecret)?;
        if (1..=32).contains(&kid.len()) && secret.len() >= SECRET_MIN {
            Ok(Self { kid: kid.to_owned(), secret: secret.to_owned() })
        } else {
            Err(InvalidSecret)
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=***", self.kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_and_never_printed() {
        let secret: Secret = format!("k1={}", "s".repeat(32)).parse().unwrap();
        assert_eq!(format!("{secret:?}"), "k1=***");
        assert_eq!(secret.reveal().parse(), Ok(secret));
        for bad in ["", "k1", "k1=short", "=0123456789012345678901234567890123"] {
            assert_eq!(bad.parse::<Secret>(), Err(InvalidSecret), "{bad}");
        }
    }

    #[test]
    fn a_scope_includes_those_below_it() {
        assert!(Scope::Admin > Scope::Command && Scope::Command > Scope::Read);
    }
}
