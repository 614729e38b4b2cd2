//! What an expression of operators says, as an expression over sets.

use muster_protocol::{
    api::Protocol,
    selector::{MatchTerm, MatchTree},
};

use super::selection::SetExpression;

impl From<&MatchTree> for SetExpression {
    fn from(tree: &MatchTree) -> Self {
        match tree {
            MatchTree::All(parts) => combined(parts.iter().map(Self::from), Self::and),
            MatchTree::Any(parts) => combined(parts.iter().map(Self::from), Self::or),
            MatchTree::Not(part) => Self::from(&**part).inverted(),
            MatchTree::Term(term) => Self::from(term),
            // Who takes a request has put what is saved in its place.
            MatchTree::Saved(_) => Self::All.inverted(),
        }
    }
}

impl From<&MatchTerm> for SetExpression {
    fn from(term: &MatchTerm) -> Self {
        match term {
            MatchTerm::Values { key, any_of } => any(any_of, |value| Self::Label(key.clone(), value.clone())),
            MatchTerm::ValuePrefix { key, prefix } => Self::LabelPrefix(key.clone(), prefix.clone()),
            MatchTerm::Version { key, order, than } => Self::Version(key.clone(), *order, than.clone()),
            MatchTerm::HasKey(key) => Self::HasKey(key.clone()),
            MatchTerm::Ids(ids) => Self::Ids(ids.clone()),
            MatchTerm::IdPrefix(prefix) => Self::IdPrefix(prefix.clone()),
            MatchTerm::Statuses(statuses) => any(statuses, |status| Self::Status(*status)),
            MatchTerm::Conditions(conditions) => any(conditions, |condition| Self::Condition(*condition)),
            MatchTerm::Nodes(nodes) => any(nodes, |node| Self::Node(node.clone())),
            MatchTerm::Connected => Self::Connected,
            MatchTerm::Protocols(protocols) => any(protocols, |protocol| match protocol {
                Protocol::Plain => Self::Plain,
                Protocol::V1 => Self::Plain.inverted(),
            }),
        }
    }
}

fn any<T>(all: &[T], set: impl Fn(&T) -> SetExpression) -> SetExpression {
    combined(all.iter().map(set), SetExpression::or)
}

/// Returns the sets as one. No terminal at all if there are none.
fn combined(
    sets: impl Iterator<Item = SetExpression>,
    combine: fn(SetExpression, SetExpression) -> SetExpression,
) -> SetExpression {
    sets.reduce(combine).unwrap_or_else(|| SetExpression::All.inverted())
}

#[cfg(test)]
mod tests {
    use muster_protocol::selector::MatchExpression;

    use super::*;

    fn postfix(text: &str) -> String {
        let expression: MatchExpression = text.parse().unwrap();
        SetExpression::from(expression.tree()).to_postfix().unwrap().replace('\n', " ")
    }

    #[test]
    fn an_expression_becomes_steps() {
        assert_eq!(postfix("a = 1 or b = 2 and not c ^= x"), "label:a=1 label:b=2 starts:c=x not and or ");
        assert_eq!(postfix("a in (1, 2) and a != 3"), "label:a=1 label:a=2 or label:a=3 not and ");
        // 1 and 10, then the end; 2, then the part `rc` of a pre-release.
        assert_eq!(postfix("v >= 1.10 and v < 2-rc"), "atleast:v=031041001 below:v=0320021140990000 and ");
        assert_eq!(postfix("not (not a exists)"), "has:a ");
        assert_eq!(postfix("@id ^= t and @id != t1 or @node exists"), "begins:t ids:t1 not and connected or ");
        let both = "stale offline or plain not and ";
        assert_eq!(postfix("@status in (stale, offline) and @protocol = v1"), both);
    }

    #[test]
    fn the_largest_expression_is_evaluated() {
        let text = format!("not ({})", vec!["not a>1"; 64].join(" or "));
        assert!(postfix(&text).split(' ').count() > 190);
    }
}
