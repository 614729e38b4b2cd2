//! Ids. An id is checked when it is parsed, so code that has one need not check again: no id can carry a line break, a
//! brace or a glob character into a Redis key, a log line or a proxy's configuration.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The error for a text that is not an id. The message says what an id of its kind must be.
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
            /// Returns the id as text.
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

        #[cfg(feature = "json-schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                crate::json_schema::text($alphabet, $max)
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
    /// A terminal's id, chosen by whoever runs the fleet. It stays the same over all sessions of the terminal.
    TerminalId, "a terminal id", 128, "A-Z a-z 0-9 . _ : -",
    |b| b.is_ascii_alphanumeric() || b"._:-".contains(&b)
);

checked_text!(
    /// A node's id, unique among the nodes that share a Redis.
    NodeId, "a node id", 32, "a-z 0-9 -",
    |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'
);

checked_text!(
    /// The name of a cluster: it tells apart the clusters that share a Redis. `muster` by default.
    ClusterName, "a cluster name", 64, "a-z 0-9 -",
    |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'
);

checked_text!(
    /// The name under which a selector is saved.
    SelectorName, "the name of a selector", 64, "A-Z a-z 0-9 . _ -",
    |b| b.is_ascii_alphanumeric() || b"._-".contains(&b)
);

checked_text!(
    /// A notice's name, chosen by the operator who sets it.
    NoticeName, "the name of a notice", 64, "A-Z a-z 0-9 _ -",
    |b| b.is_ascii_alphanumeric() || b"_-".contains(&b)
);

impl Default for ClusterName {
    fn default() -> Self {
        Self("muster".into())
    }
}

/// The error for a text that is no UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is a UUID, such as 01a22604-1a2b-7472-a9dc-02ec8ee5d40c")]
pub struct InvalidUuid {
    what: &'static str,
}

macro_rules! sortable_uuid {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl FromStr for $name {
            type Err = InvalidUuid;

            fn from_str(text: &str) -> Result<Self, InvalidUuid> {
                text.parse().map(Self).map_err(|_| InvalidUuid { what: $what })
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
    /// A command's id: a UUIDv7, so that ids sort by the time when the commands were accepted.
    CommandId, "the id of a command"
);

sortable_uuid!(
    /// The id of one session of one terminal: a UUIDv7, so that of two sessions the newer has the greater id.
    SessionId, "the id of a session"
);

sortable_uuid!(
    /// A rollout's id: a UUIDv7, so that ids sort by the time when the rollouts were made.
    RolloutId, "the id of a rollout"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_id_has_an_alphabet_and_a_length() {
        for good in ["a", "kiosk-7", "site:bj.box_3", &"x".repeat(128)] {
            assert_eq!(good.parse::<TerminalId>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a\n", "*", "a/b", "é", "a{b}", &"x".repeat(129)] {
            assert!(bad.parse::<TerminalId>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_text_that_is_no_command_id_is_told_what_one_looks_like() {
        let error = "123".parse::<CommandId>().unwrap_err();
        assert_eq!(error.to_string(), "the id of a command is a UUID, such as 01a22604-1a2b-7472-a9dc-02ec8ee5d40c");
    }

    #[test]
    fn an_id_in_json_is_checked() {
        assert!(serde_json::from_str::<TerminalId>(r#""t1""#).is_ok());
        let error = serde_json::from_str::<NodeId>(r#""Node 1""#).unwrap_err();
        assert!(error.to_string().contains("a node id must be 1 to 32 characters"), "{error}");
    }
}
