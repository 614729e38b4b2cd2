//! Which terminals an operator means. Resolved once, when a command is accepted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::TerminalId;

/// A terminal's labels, as `site=bj`.
pub type Labels = BTreeMap<String, String>;

/// Labels of one terminal, or of one selector.
const LABELS_MAX: usize = 32;
/// The longest key, and the longest value, in bytes.
const LABEL_MAX: usize = 64;

/// Labels that can't be kept, told apart in a list, or shown on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "labels: at most {LABELS_MAX}, keys and values of 1 to {LABEL_MAX} bytes without commas and control characters, keys without ="
)]
pub struct InvalidLabels;

/// Checks labels where they enter a program.
pub fn check_labels(labels: &Labels) -> Result<(), InvalidLabels> {
    let fits =
        |text: &str| (1..=LABEL_MAX).contains(&text.len()) && !text.contains(|c: char| c == ',' || c.is_control());
    let good = labels.iter().all(|(key, value)| fits(key) && fits(value) && !key.contains('='));
    if good && labels.len() <= LABELS_MAX { Ok(()) } else { Err(InvalidLabels) }
}

/// `{"all":true}`, `{"terminal":"t1"}`, `{"terminals":["t1","t2"]}` or `{"labels":{"site":"bj"}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Keys", into = "Keys")]
pub enum Selector {
    /// Every terminal.
    All,
    /// One terminal.
    Terminal(TerminalId),
    /// These terminals.
    Terminals(Vec<TerminalId>),
    /// The terminals that carry all of these labels.
    Labels(Labels),
}

/// The JSON shape: exactly one key.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terminal: Option<TerminalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terminals: Option<Vec<TerminalId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Labels>,
}

/// Why a selector means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSelector {
    /// None of the four keys, or several.
    #[error(r#"a selector has exactly one of "all", "terminal", "terminals" and "labels""#)]
    NotOneKey,
    /// `{"all":false}` would select nothing.
    #[error(r#""all" can only be true"#)]
    AllFalse,
    /// An empty list or map: more likely a mistake than a wish.
    #[error(r#""terminals" and "labels" can't be empty; use {{"all":true}} for every terminal"#)]
    Empty,
    /// Labels that no terminal can have.
    #[error(transparent)]
    Labels(#[from] InvalidLabels),
}

impl TryFrom<Keys> for Selector {
    type Error = InvalidSelector;

    fn try_from(keys: Keys) -> Result<Self, InvalidSelector> {
        match keys {
            Keys { all: Some(all), terminal: None, terminals: None, labels: None } => {
                if all {
                    Ok(Self::All)
                } else {
                    Err(InvalidSelector::AllFalse)
                }
            }
            Keys { all: None, terminal: Some(id), terminals: None, labels: None } => Ok(Self::Terminal(id)),
            Keys { all: None, terminal: None, terminals: Some(mut ids), labels: None } => {
                // An id that is named twice is meant once.
                ids.sort();
                ids.dedup();
                if ids.is_empty() { Err(InvalidSelector::Empty) } else { Ok(Self::Terminals(ids)) }
            }
            Keys { all: None, terminal: None, terminals: None, labels: Some(labels) } => {
                check_labels(&labels)?;
                if labels.is_empty() { Err(InvalidSelector::Empty) } else { Ok(Self::Labels(labels)) }
            }
            _ => Err(InvalidSelector::NotOneKey),
        }
    }
}

impl From<Selector> for Keys {
    fn from(selector: Selector) -> Self {
        match selector {
            Selector::All => Self { all: Some(true), ..Self::default() },
            Selector::Terminal(id) => Self { terminal: Some(id), ..Self::default() },
            Selector::Terminals(ids) => Self { terminals: Some(ids), ..Self::default() },
            Selector::Labels(labels) => Self { labels: Some(labels), ..Self::default() },
        }
    }
}

impl Selector {
    /// Whether a terminal with this id and these labels is meant.
    pub fn matches(&self, id: &TerminalId, labels: &Labels) -> bool {
        match self {
            Self::All => true,
            Self::Terminal(wanted) => wanted == id,
            Self::Terminals(wanted) => wanted.contains(id),
            Self::Labels(wanted) => wanted.iter().all(|(key, value)| labels.get(key) == Some(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_survives_a_round_trip() {
        for json in
            [r#"{"all":true}"#, r#"{"terminal":"t1"}"#, r#"{"terminals":["t1","t2"]}"#, r#"{"labels":{"site":"bj"}}"#]
        {
            let selector: Selector = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&selector).unwrap(), json);
        }
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for json in [
            "{}",
            r#"{"all":false}"#,
            r#"{"terminals":[]}"#,
            r#"{"labels":{}}"#,
            r#"{"site":"bj"}"#,
            r#"{"labels":{"a=b":"c"}}"#,
            r#"{"labels":{"a":"b\n"}}"#,
            r#"{"all":true,"terminal":"t1"}"#,
        ] {
            assert!(serde_json::from_str::<Selector>(json).is_err(), "{json} was let in");
        }
    }

    #[test]
    fn all_labels_must_match() {
        let id = "t1".parse().unwrap();
        let labels = Labels::from([("site".into(), "bj".into()), ("kind".into(), "kiosk".into())]);
        let select = |json: &str| serde_json::from_str::<Selector>(json).unwrap().matches(&id, &labels);
        assert!(select(r#"{"labels":{"site":"bj","kind":"kiosk"}}"#));
        assert!(!select(r#"{"labels":{"site":"bj","kind":"gate"}}"#));
    }
}
