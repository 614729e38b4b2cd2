//! Labels, and selectors: which terminals a command is for. A selector is resolved once, when the command is accepted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::TerminalId;

/// Labels by key, such as `site=bj`.
pub type Labels = BTreeMap<String, String>;

/// What the keys of labels begin with that a terminal says of itself. A label without it comes from the terminal's token or from operators, or
/// the token lets the terminal say it: so a selector shows whose word it goes by.
pub const SELF_PREFIX: &str = "self.";

/// The keys of labels that a terminal may say without [`SELF_PREFIX`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SayableKeys {
    /// All: the terminal has no token, on a node that lets everyone in.
    All,
    /// Those that the claim `say` of its token lists.
    Listed(Vec<String>),
}

impl SayableKeys {
    /// The labels of a terminal that says these of itself.
    ///
    /// # Errors
    /// If they break a limit, with the prefix or without it.
    pub fn take(&self, said: Labels) -> Result<Labels, InvalidLabels> {
        check_labels(&said)?;
        let is_taken_as_it_is = |key: &str| match self {
            Self::All => true,
            Self::Listed(keys) => key.starts_with(SELF_PREFIX) || keys.iter().any(|listed| listed == key),
        };
        let named = |key: String| if is_taken_as_it_is(&key) { key } else { format!("{SELF_PREFIX}{key}") };
        let taken = said.into_iter().map(|(key, value)| (named(key), value)).collect();
        check_labels(&taken)?;
        Ok(taken)
    }
}

/// The most labels of one terminal, or of one selector.
const LABELS_MAX: usize = 32;
/// The longest key, and the longest value, in bytes.
const LABEL_MAX: usize = 64;

/// Why labels are refused: they break a limit, or could not be told apart in a list or printed on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLabels {
    /// There are too many.
    #[error("labels: there are more than {LABELS_MAX}")]
    TooMany,
    /// A key or a value has no character.
    #[error("labels: a key or a value is empty")]
    Empty,
    /// A key or a value is too long.
    #[error("labels: a key or a value is longer than {LABEL_MAX} bytes")]
    TooLong,
    /// A key or a value has a comma, which separates labels in lists.
    #[error("labels: a key or a value has a comma")]
    Comma,
    /// A key or a value has a control character.
    #[error("labels: a key or a value has a control character")]
    Control,
    /// A key has an equals sign, which ends keys in lists.
    #[error("labels: a key has the character =")]
    EqualsSign,
}

/// Checks labels that come from outside: at most 32, keys and values of 1 to 64 bytes, no commas or control characters,
/// no `=` in a key. The error is that of the first label that is refused.
pub fn check_labels(labels: &Labels) -> Result<(), InvalidLabels> {
    if labels.len() > LABELS_MAX {
        return Err(InvalidLabels::TooMany);
    }
    for (key, value) in labels {
        check_text(key)?;
        check_text(value)?;
        if key.contains('=') {
            return Err(InvalidLabels::EqualsSign);
        }
    }
    Ok(())
}

fn check_text(text: &str) -> Result<(), InvalidLabels> {
    match text {
        "" => Err(InvalidLabels::Empty),
        _ if text.len() > LABEL_MAX => Err(InvalidLabels::TooLong),
        _ if text.contains(',') => Err(InvalidLabels::Comma),
        _ if text.contains(char::is_control) => Err(InvalidLabels::Control),
        _ => Ok(()),
    }
}

/// `{"all":true}`, `{"terminal":"t1"}`, `{"terminals":["t1","t2"]}` or `{"labels":{"site":"bj"}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Keys", into = "Keys")]
pub enum Selector {
    /// Every terminal that is registered.
    All,
    /// One terminal.
    Terminal(TerminalId),
    /// These terminals, each once.
    Terminals(Vec<TerminalId>),
    /// The terminals that carry all of these labels.
    Labels(Labels),
}

/// The JSON form of a selector, which has exactly one of these keys.
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

/// Why a JSON object is not a selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSelector {
    /// The object has none of the four keys, or several.
    #[error(r#"a selector has exactly one of "all", "terminal", "terminals" and "labels""#)]
    NotOneKey,
    /// The object is `{"all":false}`, which would select nothing.
    #[error(r#""all" can only be true"#)]
    AllFalse,
    /// The list or map is empty, which is more likely a mistake than intended.
    #[error(r#""terminals" and "labels" can't be empty; use {{"all":true}} for every terminal"#)]
    Empty,
    /// No terminal can have these labels.
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
                // A command reaches a terminal once, however often the list names it.
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
    /// Whether the selector includes a terminal with this id and these labels.
    pub fn matches(&self, id: &TerminalId, labels: &Labels) -> bool {
        match self {
            Self::All => true,
            Self::Terminal(wanted) => wanted == id,
            Self::Terminals(wanted) => wanted.contains(id),
            Self::Labels(wanted) => has_labels(labels, wanted),
        }
    }
}

/// Whether a terminal with these labels has all of those that are wanted.
pub fn has_labels(labels: &Labels, wanted: &Labels) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_says_of_itself_has_a_prefix_unless_its_token_lets_it_say_it() {
        let labels = |all: &[&str]| all.iter().map(|key| ((*key).to_owned(), "x".to_owned())).collect::<Labels>();
        let said = labels(&["role", "site", "self.floor", "self"]);
        let listed = SayableKeys::Listed(vec!["site".into()]);
        assert_eq!(listed.take(said.clone()), Ok(labels(&["self.role", "site", "self.floor", "self.self"])));
        assert_eq!(SayableKeys::All.take(said.clone()), Ok(said));
        // The prefix has 5 bytes.
        let long = |bytes: usize| labels(&["k".repeat(bytes).as_str()]);
        assert!(listed.take(long(59)).is_ok() && SayableKeys::All.take(long(64)).is_ok());
        assert_eq!(listed.take(long(60)), Err(InvalidLabels::TooLong));
    }

    #[test]
    fn each_form_is_read_and_written() {
        for json in
            [r#"{"all":true}"#, r#"{"terminal":"t1"}"#, r#"{"terminals":["t1","t2"]}"#, r#"{"labels":{"site":"bj"}}"#]
        {
            let selector: Selector = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&selector).unwrap(), json);
        }
    }

    #[test]
    fn a_selector_without_a_meaning_is_refused() {
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
            assert!(serde_json::from_str::<Selector>(json).is_err(), "{json} was accepted");
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
