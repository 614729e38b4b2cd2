//! Names of saved selectors in an expression, and the selectors that replace them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    expression::MatchExpression,
    invalid_match::InvalidMatch,
    tokens::{MatchToken, MatchTokens},
    tree::MatchTree,
};
use crate::SelectorName;

/// The key before the name of a saved selector.
pub(super) const SAVED: &str = "@saved";

impl MatchExpression {
    /// Returns the names of the saved selectors in the expression.
    pub fn saved(&self) -> BTreeSet<&SelectorName> {
        self.tree().saved()
    }

    /// Returns the expression with saved selectors in place of their names. A name that `saved` does not have stays.
    ///
    /// # Errors
    /// If the new expression passes a bound.
    pub fn expanded(&self, saved: &BTreeMap<SelectorName, Self>) -> Result<Self, InvalidMatch> {
        self.tree().expanded(saved).to_string().parse()
    }

    /// Returns an error about the saved selector of this name, at the place where the name stands first.
    pub fn problem_with(&self, name: &SelectorName, problem: impl Into<String>) -> InvalidMatch {
        let mut tokens = MatchTokens::new(self.as_str());
        let mut saved_at = None;
        // The whole text was read before, so each piece of it can be read.
        while let Ok((at, token)) = tokens.next() {
            saved_at = match (token, saved_at) {
                (MatchToken::End, _) => break,
                (MatchToken::Reserved(key), _) if key == SAVED => Some(at),
                (MatchToken::Sign("("), saved_at) => saved_at,
                (MatchToken::Word(text) | MatchToken::Quoted(text), Some(saved_at)) if text == name.as_str() => {
                    return tokens.error(saved_at, problem);
                }
                _ => None,
            };
        }
        tokens.error(0, problem)
    }
}

impl MatchTree {
    fn saved(&self) -> BTreeSet<&SelectorName> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::saved).collect(),
            Self::Not(part) => part.saved(),
            Self::Term(_) => BTreeSet::new(),
            Self::Saved(name) => [name].into(),
        }
    }

    fn expanded(&self, saved: &BTreeMap<SelectorName, MatchExpression>) -> Self {
        let all = |parts: &[Self]| parts.iter().map(|part| part.expanded(saved)).collect();
        match self {
            Self::All(parts) => Self::All(all(parts)),
            Self::Any(parts) => Self::Any(all(parts)),
            Self::Not(part) => Self::Not(Box::new(part.expanded(saved))),
            Self::Saved(name) => saved.get(name).map_or_else(|| self.clone(), |found| found.tree().clone()),
            Self::Term(_) => self.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selector::Labels;

    fn read(text: &str) -> MatchExpression {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn saved(name: &str, text: &str) -> (SelectorName, MatchExpression) {
        (name.parse().unwrap(), read(text))
    }

    #[test]
    fn what_is_saved_stands_in_place_of_its_name() {
        let all = [saved("kiosks", "kind = kiosk or kind = box"), saved("old", "version < 2 and site = bj")].into();
        for (text, expected) in [
            ("@saved(kiosks)", "kind = kiosk or kind = box"),
            (
                "@saved(kiosks) and not @saved( old )",
                "(kind = kiosk or kind = box) and not (version < 2 and site = bj)",
            ),
            (
                "@saved(kiosks) or @saved(old) or @saved(new)",
                "(kind = kiosk or kind = box) or version < 2 and site = bj or @saved(new)",
            ),
        ] {
            assert!(!read(text).saved().is_empty(), "{text}");
            assert_eq!(read(text).expanded(&all).unwrap().as_str(), expected, "{text}");
        }
        assert!(!read("@saved(a)").tree().picks(&"t1".parse().unwrap(), &Labels::new()));
    }

    #[test]
    fn what_stands_in_place_of_names_is_bounded() {
        let long = [saved("a", &vec!["a = 1"; 40].join(" or "))].into();
        assert!(read("@saved(a) or @saved(a)").expanded(&long).unwrap_err().problem.contains("64 terms"));
        let names = vec!["@saved(a)"; 65].join(" or ");
        assert!(names.parse::<MatchExpression>().unwrap_err().problem.contains("64 terms"));
    }

    #[test]
    fn a_problem_has_the_place_of_the_name() {
        let expression = read(r#""@saved" = b and a in (b) or @saved(a) or not (@saved( "b" ) or @saved(b))"#);
        let place = |name: &str| expression.problem_with(&name.parse().unwrap(), "gone").at;
        assert_eq!((place("a"), place("b")), (30, 48));
    }
}
