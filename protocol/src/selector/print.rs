//! Writes what an expression says, as a text that reads as the same expression.

use std::fmt::{self, Formatter, Write};

use serde::Serialize;

use super::{parser::is_keyword, term::MatchTerm, tokens::is_bare, tree::MatchTree};

impl fmt::Display for MatchTree {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) => joined(f, parts, " and ", |part| matches!(part, Self::All(_) | Self::Any(_))),
            Self::Any(parts) => joined(f, parts, " or ", |part| matches!(part, Self::Any(_))),
            Self::Not(part) => match &**part {
                Self::Term(term) if is_equality(term) => write_term(f, term, "!="),
                Self::Term(_) | Self::Saved(_) => write!(f, "not {part}"),
                Self::Not(inner) if matches!(&**inner, Self::Term(term) if is_equality(term)) => {
                    write!(f, "not {part}")
                }
                _ => write!(f, "not ({part})"),
            },
            Self::Term(term) => term.fmt(f),
            Self::Saved(name) => write!(f, "@saved({name})"),
        }
    }
}

/// Writes parts with a word between them, and those that `needs_group` picks in brackets.
fn joined(f: &mut Formatter<'_>, parts: &[MatchTree], word: &str, needs_group: fn(&MatchTree) -> bool) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        if needs_group(part) { write!(f, "({part})")? } else { write!(f, "{part}")? }
    }
    Ok(())
}

impl fmt::Display for MatchTerm {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_term(f, self, "=")
    }
}

/// Returns whether a term has one value that it compares by `=`: then `!=` says that the term is not met.
fn is_equality(term: &MatchTerm) -> bool {
    let is_list = !matches!(
        term,
        MatchTerm::ValuePrefix { .. }
            | MatchTerm::Version { .. }
            | MatchTerm::HasKey(_)
            | MatchTerm::IdPrefix(_)
            | MatchTerm::Connected
    );
    is_list && term.weight() == 1
}

fn write_term(f: &mut Formatter<'_>, term: &MatchTerm, equal: &str) -> fmt::Result {
    match term {
        MatchTerm::Values { key, any_of } => write_list(f, &key_text(key), any_of, equal),
        MatchTerm::ValuePrefix { key, prefix } => write!(f, "{} ^= {}", key_text(key), value_text(prefix)),
        MatchTerm::Version { key, order, than } => {
            write!(f, "{} {} {}", key_text(key), order.symbol(), value_text(than.as_str()))
        }
        MatchTerm::HasKey(key) => write!(f, "{} exists", key_text(key)),
        MatchTerm::Ids(ids) => write_list(f, "@id", ids, equal),
        MatchTerm::IdPrefix(prefix) => write!(f, "@id ^= {prefix}"),
        MatchTerm::Statuses(statuses) => write_list(f, "@status", statuses, equal),
        MatchTerm::Conditions(conditions) => write_list(f, "@condition", conditions, equal),
        MatchTerm::Nodes(nodes) => write_list(f, "@node", nodes, equal),
        MatchTerm::Connected => f.write_str("@node exists"),
        MatchTerm::Protocols(protocols) => write_list(f, "@protocol", protocols, equal),
    }
}

fn write_list(f: &mut Formatter<'_>, key: &str, values: &[impl Serialize], equal: &str) -> fmt::Result {
    let name = |value| match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => value_text(&text),
        _ => String::new(),
    };
    if let [one] = values {
        return write!(f, "{key} {equal} {}", name(one));
    }
    write!(f, "{key} in (")?;
    for (index, value) in values.iter().enumerate() {
        write!(f, "{}{}", if index > 0 { ", " } else { "" }, name(value))?;
    }
    f.write_char(')')
}

fn key_text(key: &str) -> String {
    if is_keyword(key) { quoted(key) } else { value_text(key) }
}

fn value_text(value: &str) -> String {
    if !value.is_empty() && value.chars().all(is_bare) { value.to_owned() } else { quoted(value) }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;
    use crate::{
        api::{Protocol, Status},
        frame::Condition,
        selector::{LabelVersion, MatchExpression, VersionOrder},
    };

    /// Returns what a label can have: bare words, keywords, and what needs quotes.
    fn text() -> impl Strategy<Value = String> {
        let odd = select(vec!["and", "or", "not", "in", "exists", "a b", "\"", "\\", "ü", "(", "@id", "<", "!"]);
        prop_oneof![3 => "[A-Za-z0-9._:/-]{1,8}", 1 => odd.prop_map(str::to_owned)]
    }

    fn term() -> impl Strategy<Value = MatchTerm> {
        let orders = [VersionOrder::Below, VersionOrder::AtMost, VersionOrder::Above, VersionOrder::AtLeast];
        let version =
            "[0-9]{1,3}(\\.[0-9]{1,3}){0,2}(-[a-z0-9]{1,4})?".prop_map(|text| LabelVersion::parse(&text).unwrap());
        let id = "[A-Za-z0-9._:-]{1,8}";
        let ids = move || id.prop_map(|text| text.parse().unwrap());
        prop_oneof![
            (text(), vec(text(), 1..4)).prop_map(|(key, any_of)| MatchTerm::Values { key, any_of }),
            (text(), text()).prop_map(|(key, prefix)| MatchTerm::ValuePrefix { key, prefix }),
            (text(), select(orders.to_vec()), version).prop_map(|(key, order, than)| MatchTerm::Version {
                key,
                order,
                than
            }),
            text().prop_map(MatchTerm::HasKey),
            vec(ids(), 1..3).prop_map(MatchTerm::Ids),
            id.prop_map(MatchTerm::IdPrefix),
            vec(select(vec![Status::Online, Status::Stale, Status::Offline]), 1..3).prop_map(MatchTerm::Statuses),
            vec(select(vec![Condition::Ok, Condition::Degraded, Condition::Failing]), 1..3)
                .prop_map(MatchTerm::Conditions),
            vec("[a-z0-9-]{1,8}".prop_map(|text| text.parse().unwrap()), 1..3).prop_map(MatchTerm::Nodes),
            Just(MatchTerm::Connected),
            vec(select(vec![Protocol::V1, Protocol::Plain]), 1..3).prop_map(MatchTerm::Protocols),
        ]
    }

    fn tree() -> impl Strategy<Value = MatchTree> {
        let saved = "[A-Za-z0-9._-]{1,8}".prop_map(|name| MatchTree::Saved(name.parse().unwrap()));
        prop_oneof![4 => term().prop_map(MatchTree::Term), 1 => saved].prop_recursive(6, 24, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 2..4).prop_map(MatchTree::All),
                vec(inner.clone(), 2..4).prop_map(MatchTree::Any),
                inner.prop_map(|part| MatchTree::Not(Box::new(part))),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

        #[test]
        fn what_is_written_is_read_alike(tree in tree()) {
            let text = tree.to_string();
            // Trees by chance may pass a bound.
            let Ok(read) = text.parse::<MatchExpression>() else {
                let weight: usize = tree.terms().into_iter().map(MatchTerm::weight).sum();
                prop_assert!(text.len() > 2048 || weight > 64, "{text}: {:?}", text.parse::<MatchExpression>());
                return Ok(());
            };
            prop_assert_eq!(read.tree(), &tree, "{}", text);
        }

        #[test]
        fn any_text_is_read_or_refused_with_its_place(text in "[a-c@=!<>^(),\" .\\\\]{0,40}|\\PC{0,40}") {
            match text.parse::<MatchExpression>() {
                Ok(read) => {
                    let written = read.tree().to_string();
                    let again: MatchExpression = written.parse().unwrap();
                    prop_assert_eq!(again.tree(), read.tree(), "{}", written);
                }
                Err(error) => prop_assert!((1..=text.chars().count() + 1).contains(&error.at), "{error}"),
            }
        }
    }
}
