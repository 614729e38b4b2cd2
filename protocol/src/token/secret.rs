//! A secret that signs tokens.

use std::{fmt, str::FromStr};

/// Short secrets can be guessed offline from one token; HS256 wants as many bytes as its hash has.
const SECRET_MIN: usize = 32;

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
}
