//! A terminal's token.

use std::{fmt, str::FromStr, time::Duration};

use muster_protocol::token::unverified_expiry;

/// A bearer token. Its `Debug` form is `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Returns the value of the `Authorization` header.
    pub(crate) fn authorization(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Returns the token in the clear, for the frame `token` and to write it to a file.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns the last second in which the token is valid, by its own words and in seconds since 1970. `None` if the
    /// token does not say.
    pub(crate) fn expires(&self) -> Option<u64> {
        unverified_expiry(&self.0)
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidToken)
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The error for a text that can't be a token. Does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token is one word of visible ASCII characters")]
pub struct InvalidToken;

/// Why a source gave no token. Does not repeat a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenUnavailable {
    /// The file can't be read, or holds no token.
    #[error("token file {path}: {problem}")]
    File {
        /// The path of the file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The function failed. Holds its error as text.
    #[error("the token source failed: {0}")]
    Failed(String),
    /// The source gave no answer within this time.
    #[error("the token source gave no answer within {0:?}")]
    TimedOut(Duration),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_fits_a_header_and_is_never_printed() {
        let token: Token = "eyJ.secret".parse().unwrap();
        assert!(!format!("{token:?}").contains("secret"));
        for bad in ["", "two words", "line\nbreak", "é"] {
            assert_eq!(bad.parse::<Token>(), Err(InvalidToken), "{bad:?}");
        }
    }
}
