//! Labels of terminals, and who may say which.

use std::collections::BTreeMap;

/// Labels by key, such as `site=bj`.
pub type Labels = BTreeMap<String, String>;

/// The prefix of the labels that a terminal says of itself. A label without it comes from the terminal's token or from
/// operators, or the token lets the terminal say it. So a selector shows whose word it goes by.
pub const SELF_PREFIX: &str = "self.";

/// The keys of labels that a terminal may say without [`SELF_PREFIX`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SayableKeys {
    /// All: the terminal has no token, on a node that lets everyone in.
    All,
    /// The keys that the claim `say` of its token lists.
    Listed(Vec<String>),
}

impl SayableKeys {
    /// Returns the labels that a terminal has if it says these of itself: the keys that it may not say get the prefix.
    ///
    /// # Errors
    /// If the labels break a limit, with the prefix or without it.
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

/// Why labels are refused: they break a limit, or a list or a line could not show them unambiguously.
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
/// no `=` in a key. The error is about the first label that is refused.
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

/// Checks a key or a value.
pub(super) fn check_text(text: &str) -> Result<(), InvalidLabels> {
    match text {
        "" => Err(InvalidLabels::Empty),
        _ if text.len() > LABEL_MAX => Err(InvalidLabels::TooLong),
        _ if text.contains(',') => Err(InvalidLabels::Comma),
        _ if text.contains(char::is_control) => Err(InvalidLabels::Control),
        _ => Ok(()),
    }
}

/// Returns whether a terminal with these labels has all labels that are wanted.
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
    fn a_label_stands_on_one_line_and_in_a_list() {
        let check = |key: &str, value: &str| check_labels(&[(key.to_owned(), value.to_owned())].into());
        assert_eq!(check("site", "北京 1=2"), Ok(()));
        for control in ["a\nb", "\u{1b}[2J", "\u{9b}2J", "\u{7f}"] {
            assert_eq!(check("site", control), Err(InvalidLabels::Control), "{control:?}");
            assert_eq!(check(control, "bj"), Err(InvalidLabels::Control), "{control:?}");
        }
        assert_eq!(check("site", "a,b"), Err(InvalidLabels::Comma));
        assert_eq!(check("a=b", "c"), Err(InvalidLabels::EqualsSign));
        assert_eq!((check("", "a"), check("a", "")), (Err(InvalidLabels::Empty), Err(InvalidLabels::Empty)));
    }

    #[test]
    fn all_labels_must_match() {
        let labels = |pairs: &[(&str, &str)]| -> Labels {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let own = labels(&[("site", "bj"), ("kind", "kiosk")]);
        assert!(has_labels(&own, &labels(&[("site", "bj"), ("kind", "kiosk")])));
        assert!(!has_labels(&own, &labels(&[("site", "bj"), ("kind", "gate")])));
    }
}
