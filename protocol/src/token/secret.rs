//! A secret that signs tokens.

use std::{fmt, str::FromStr};

/// The least length of a secret in bytes. A shorter secret can be guessed from one token, offline; RFC 7518 asks for as
/// many bytes as the hash of HS256 has.
const SECRET_MIN: usize = 32;

/// A signing secret and its name, the `kid` of the tokens that it signs. Written `KID=SECRET`. `Debug` does not show
/// the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The secret's name, 1 to 32 bytes.
    pub kid: String,
    secret: String,
}

/// The error for a text that is not a secret. Does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret is written KID=SECRET: a name of 1 to 32 characters, and at least {SECRET_MIN} characters of secret")]
pub struct InvalidSecret;

/// The error for a line of a file that is not a secret. Does not repeat the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {InvalidSecret}")]
pub struct InvalidSecretLine {
    /// The number of the line, from 1.
    pub line: usize,
}

impl Secret {
    /// Reads the content of a file with one secret on each line.
    ///
    /// # Errors
    /// Names the first line that is not a secret.
    pub fn parse_lines(text: &str) -> Result<Vec<Self>, InvalidSecretLine> {
        let lines = text.lines().enumerate();
        lines.map(|(index, line)| line.parse().map_err(|_| InvalidSecretLine { line: index + 1 })).collect()
    }

    /// Returns the bytes to sign with.
    pub fn as_bytes(&self) -> &[u8] {
        self.secret.as_bytes()
    }

    /// Returns the secret in the clear, as it is written in a flag or an environment variable. Only for the command
    /// that makes a new secret.
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
}
