//! What an operator's key is limited to, beside its scope. The limits are part of the signed key, so a node knows them
//! without its store.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::selector::{InvalidLabels, Labels, check_labels, has_labels};

/// The most names of commands in a key.
const COMMANDS_MAX: usize = 64;
/// The longest name of a command, in bytes, as in a request.
const COMMAND_MAX: usize = 128;
/// The most bytes of all limits of a key: a key travels in a header with each call, and its record is stored.
const BYTES_MAX: usize = 2048;

/// The limits of an operator's key. Without any, the key reaches all terminals and may send all commands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct KeyLimits {
    /// The key reaches the terminals that have all of these labels. All terminals if empty.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// The names of the commands that the key may send. All names if empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub commands: BTreeSet<String>,
}

/// Why a key can't have some limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimits {
    /// No terminal can have these labels.
    #[error(transparent)]
    Labels(#[from] InvalidLabels),
    /// There are too many names, or a name that no command has.
    #[error("commands: at most {COMMANDS_MAX} names of 1 to {COMMAND_MAX} bytes")]
    Commands,
    /// The labels and names together are too long.
    #[error("labels, commands: they have more than {BYTES_MAX} bytes together")]
    TooLong,
}

impl KeyLimits {
    /// Checks limits that come from outside.
    ///
    /// # Errors
    /// If no terminal can have the labels, if there are more than 64 names, if no command can have one of the names, or
    /// if both have more than 2 KiB together.
    pub fn check(&self) -> Result<(), InvalidLimits> {
        check_labels(&self.labels)?;
        let is_name = |name: &String| (1..=COMMAND_MAX).contains(&name.len());
        if self.commands.len() > COMMANDS_MAX || !self.commands.iter().all(is_name) {
            return Err(InvalidLimits::Commands);
        }
        let labels = self.labels.iter().map(|(key, value)| key.len() + value.len());
        let bytes: usize = labels.chain(self.commands.iter().map(String::len)).sum();
        if bytes > BYTES_MAX { Err(InvalidLimits::TooLong) } else { Ok(()) }
    }

    /// Returns whether there is no limit.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.commands.is_empty()
    }

    /// Returns whether the limits include a terminal with these labels.
    pub fn include(&self, labels: &Labels) -> bool {
        has_labels(labels, &self.labels)
    }

    /// Returns whether a command with this name may be sent.
    pub fn allow(&self, command: &str) -> bool {
        self.commands.is_empty() || self.commands.contains(command)
    }

    /// Returns whether `other` lets everything through that these limits let through.
    pub fn are_within(&self, other: &Self) -> bool {
        let are_fewer = !self.commands.is_empty() && self.commands.is_subset(&other.commands);
        other.include(&self.labels) && (other.commands.is_empty() || are_fewer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(labels: &[(&str, &str)], commands: &[&str]) -> KeyLimits {
        let labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        KeyLimits { labels, commands: commands.iter().map(|name| (*name).into()).collect() }
    }

    #[test]
    fn limits_are_within_others_that_stop_no_less() {
        let (none, shop) = (limits(&[], &[]), limits(&[("shop", "7")], &["show", "reboot"]));
        for (inner, is_within) in [
            (shop.clone(), true),
            (limits(&[("shop", "7"), ("kind", "gate")], &["show"]), true),
            (limits(&[("shop", "7")], &[]), false),
            (limits(&[("shop", "7")], &["show", "wipe"]), false),
            (limits(&[("shop", "8")], &["show"]), false),
            (limits(&[("kind", "gate")], &["show"]), false),
            (none.clone(), false),
        ] {
            assert_eq!(inner.are_within(&shop), is_within, "{inner:?}");
            assert!(inner.are_within(&none), "{inner:?}");
        }
    }

    #[test]
    fn limits_are_bounded() {
        let names = |count: usize, bytes: usize| {
            let name = |number| format!("{number:0bytes$}");
            KeyLimits { commands: (0..count).map(name).collect(), ..KeyLimits::default() }
        };
        assert_eq!(names(64, 32).check(), Ok(()));
        assert_eq!(names(65, 3).check(), Err(InvalidLimits::Commands));
        assert_eq!(names(1, 129).check(), Err(InvalidLimits::Commands));
        assert_eq!(limits(&[], &[""]).check(), Err(InvalidLimits::Commands));
        assert_eq!(names(64, 33).check(), Err(InvalidLimits::TooLong));
        assert!(matches!(limits(&[("a=b", "c")], &[]).check(), Err(InvalidLimits::Labels(_))));
    }
}
