//! The names of things. Each is checked where it enters a program, so that whoever holds one need not check again:
//! none can carry a line break, a brace or a glob character into a Redis key, a log line or a proxy's configuration.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is no id; the message says what would be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be 1 to {max} characters of {alphabet}")]
pub struct InvalidId {
    what: &'static str,
    max: usize,
    alphabet: &'static str,
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $alphabet:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let allowed: fn(u8) -> bool = $allowed;
                if (1..=$max).contains(&text.len()) && text.bytes().all(allowed) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidId { what: $what, max: $max, alphabet: $alphabet })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_text!(
    /// A terminal's name for itself, stable over its life.
    TerminalId, "a terminal id", 128, "A-Z a-z 0-9 . _ : -",
    |b| b.is_ascii_alphanumeric() || b"._:-".contains(&b)
);

checked_text!(
    /// A node's name, unique among the nodes that share a Redis.
    NodeId, "a node id", 32, "a-z 0-9 -",
    |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'
);

macro_rules! sortable_uuid {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

sortable_uuid!(
    /// A command: a UUIDv7, so that ids sort by the time they were accepted.
    CommandId
);

sortable_uuid!(
    /// One connection of one terminal: a UUIDv7, so that of two sessions the newer has the greater id.
    SessionId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_id_keeps_to_its_alphabet_and_length() {
        for good in ["a", "kiosk-7", "site:bj.box_3", &"x".repeat(128)] {
            assert_eq!(good.parse::<TerminalId>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a\n", "*", "a/b", "é", "a{b}", &"x".repeat(129)] {
            assert!(bad.parse::<TerminalId>().is_err(), "{bad:?} was let in");
        }
    }

    #[test]
    fn json_is_checked_as_text_is() {
        assert!(serde_json::from_str::<TerminalId>(r#""t1""#).is_ok());
        let error = serde_json::from_str::<NodeId>(r#""Node 1""#).unwrap_err();
        assert!(error.to_string().contains("a node id must be 1 to 32 characters"), "{error}");
    }
}
