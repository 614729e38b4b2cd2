//! An expression that picks terminals, as operators write it: `site = bj and (version < 2.1 or not checked exists)`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{invalid_match::InvalidMatch, labels::Labels, parser::parse, term::MatchTerm, tree::MatchTree};

/// An expression that was read. It has at most 2 KiB, 64 terms and 16 groups within each other. It is printed as it was
/// written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MatchExpression {
    text: String,
    tree: MatchTree,
}

impl MatchExpression {
    /// Returns the text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns what the expression says.
    pub fn tree(&self) -> &MatchTree {
        &self.tree
    }

    /// Returns an expression that picks, of the terminals that this one picks, those that have all of these labels.
    ///
    /// # Errors
    /// If the new expression is too long, or has too many terms.
    pub fn limited_to(&self, labels: &Labels) -> Result<Self, InvalidMatch> {
        let label = |(key, value): (&String, &String)| {
            MatchTree::Term(MatchTerm::Values { key: key.clone(), any_of: vec![value.clone()] })
        };
        let mut parts = match &self.tree {
            MatchTree::All(parts) => parts.clone(),
            other => vec![other.clone()],
        };
        parts.extend(labels.iter().map(label));
        if labels.is_empty() { Ok(self.clone()) } else { MatchTree::All(parts).to_string().parse() }
    }

    /// Returns whether the expression says that a terminal must have all of these labels, each as a condition of its
    /// own that is joined to the others by `and`.
    pub fn requires(&self, labels: &Labels) -> bool {
        let parts = match &self.tree {
            MatchTree::All(parts) => &parts[..],
            other => std::slice::from_ref(other),
        };
        let is_required = |key: &String, value: &String| {
            parts.iter().any(|part| match part {
                MatchTree::Term(MatchTerm::Values { key: of, any_of }) => {
                    of == key && any_of == std::slice::from_ref(value)
                }
                _ => false,
            })
        };
        labels.iter().all(|(key, value)| is_required(key, value))
    }
}

impl FromStr for MatchExpression {
    type Err = InvalidMatch;

    fn from_str(text: &str) -> Result<Self, InvalidMatch> {
        Ok(Self { tree: parse(text)?, text: text.to_owned() })
    }
}

impl TryFrom<String> for MatchExpression {
    type Error = InvalidMatch;

    fn try_from(text: String) -> Result<Self, InvalidMatch> {
        text.parse()
    }
}

impl From<MatchExpression> for String {
    fn from(expression: MatchExpression) -> Self {
        expression.text
    }
}

impl fmt::Display for MatchExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> MatchExpression {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_terminal_is_picked_by_its_id_and_labels() {
        let own = labels(&[("site", "bj"), ("version", "1.10"), ("and", "x y")]);
        let picks = |text: &str| read(text).tree().picks(&"t1".parse().unwrap(), &own);
        for text in [
            "site = bj",
            "site in (sh, bj)",
            "site ^= b and version >= 1.9",
            "site = sh or site = bj and version < 2",
            "not site = sh",
            "floor != 2 and not floor exists",
            r#""and" = "x y""#,
            "@id = t1 and @id ^= t and @id in (t1, t2)",
            "not (site = sh or version <= 1.9)",
        ] {
            assert!(picks(text), "{text}");
        }
        for text in [
            "site = b",
            "site != bj",
            "(site = bj or site = sh) and version > 2",
            "floor exists",
            "site < 3",
            "@id != t1",
            "@status = online",
        ] {
            assert!(!picks(text), "{text}");
        }
    }

    #[test]
    fn what_is_limited_requires_the_limits() {
        let limits = labels(&[("shop", "7"), ("a b", "or")]);
        for text in ["kind = gate", "kind = gate or shop = 8", "kind = gate and floor = 1", "not shop = 7"] {
            let limited = read(text).limited_to(&limits).unwrap();
            assert!(limited.requires(&limits) && !read(text).requires(&limits), "{limited}");
        }
        assert_eq!(
            read("a = 1 or b = 2").limited_to(&limits).unwrap().as_str(),
            r#"(a = 1 or b = 2) and "a b" = or and shop = 7"#
        );
        for text in ["shop in (7, 8)", "shop = 7 or a = 1", "not shop = 7", "not (not shop = 7)", "shop ^= 7"] {
            assert!(!read(text).requires(&labels(&[("shop", "7")])), "{text}");
        }
        let long = read(&vec!["a = 1"; 63].join(" and "));
        assert!(long.limited_to(&limits).is_err() && long.limited_to(&Labels::new()).is_ok());
    }
}
