//! Selectors: which terminals a command is for. A selector is resolved once, when the command is accepted.

mod condition;
mod expression;
mod invalid_match;
mod labels;
mod parser;
mod print;
mod saved;
mod term;
mod tokens;
mod tree;
mod version;

use serde::{Deserialize, Serialize};

use crate::TerminalId;

pub use self::{
    expression::MatchExpression,
    invalid_match::InvalidMatch,
    labels::{InvalidLabels, Labels, SELF_PREFIX, SayableKeys, check_labels, has_labels},
    parser::{EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, EXPRESSION_TERMS_MAX},
    term::MatchTerm,
    tree::MatchTree,
    version::{LabelVersion, VersionOrder},
};

/// `{"all":true}`, `{"terminal":"t1"}`, `{"terminals":["t1","t2"]}`, `{"labels":{"site":"bj"}}` or `{"match":"site = bj or @status = stale"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema), schemars(extend("minProperties" = 1, "maxProperties" = 1)))]
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
    /// The terminals that an expression picks.
    Match(MatchExpression),
}

/// The JSON form of a selector, which has exactly one of these keys.
#[derive(Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = r#"a selector, such as {"all":true} or {"terminal":"ID"}"#)]
struct Keys {
    /// True: every terminal that is registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<bool>,
    /// One terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    terminal: Option<TerminalId>,
    /// These terminals, at most 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    terminals: Option<Vec<TerminalId>>,
    /// The terminals that carry all of these labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Labels>,
    /// The terminals that an expression picks.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    expression: Option<String>,
}

/// Why a JSON object is not a selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSelector {
    /// The object has none of the five keys, or several.
    #[error(r#"a selector has exactly one of "all", "terminal", "terminals", "labels" and "match""#)]
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
    /// The text is no expression.
    #[error(transparent)]
    Match(#[from] InvalidMatch),
}

impl TryFrom<Keys> for Selector {
    type Error = InvalidSelector;

    fn try_from(keys: Keys) -> Result<Self, InvalidSelector> {
        let Keys { all, terminal, terminals, labels, expression } = keys;
        match (all, terminal, terminals, labels, expression) {
            (Some(true), None, None, None, None) => Ok(Self::All),
            (Some(false), None, None, None, None) => Err(InvalidSelector::AllFalse),
            (None, Some(id), None, None, None) => Ok(Self::Terminal(id)),
            (None, None, Some(mut ids), None, None) => {
                // A command reaches a terminal once, however often the list names it.
                ids.sort();
                ids.dedup();
                if ids.is_empty() { Err(InvalidSelector::Empty) } else { Ok(Self::Terminals(ids)) }
            }
            (None, None, None, Some(labels), None) => {
                check_labels(&labels)?;
                if labels.is_empty() { Err(InvalidSelector::Empty) } else { Ok(Self::Labels(labels)) }
            }
            (None, None, None, None, Some(text)) => Ok(Self::Match(text.parse()?)),
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
            Selector::Match(expression) => Self { expression: Some(expression.into()), ..Self::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read_and_written() {
        for json in [
            r#"{"all":true}"#,
            r#"{"terminal":"t1"}"#,
            r#"{"terminals":["t1","t2"]}"#,
            r#"{"labels":{"site":"bj"}}"#,
            r#"{"match":" site=bj or not @status in (online)"}"#,
        ] {
            let selector: Selector = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&selector).unwrap(), json);
        }
    }

    #[test]
    fn what_is_no_object_is_told_what_a_selector_looks_like() {
        let error = serde_json::from_str::<Selector>(r#""all""#).unwrap_err().to_string();
        assert!(error.contains(r#"expected a selector, such as {"all":true} or {"terminal":"ID"}"#), "{error}");
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
            r#"{"match":""}"#,
            r#"{"match":"site = bj","labels":{"site":"bj"}}"#,
        ] {
            assert!(serde_json::from_str::<Selector>(json).is_err(), "{json} was accepted");
        }
    }
}
