//! Sets of terminals as expressions. The script library `selection` evaluates them, with one step of Redis for each
//! line.

use std::fmt::Write;

use muster_protocol::{
    NodeId, Selector, TerminalId,
    api::Status,
    frame::Condition,
    selector::{LabelVersion, Labels, VersionOrder},
};

/// The most lines of an expression, each a set or an operator: enough for 64 terms of a selector, what joins and
/// inverts them, and the labels that a list and a key are limited to.
const LINES_MAX: usize = 400;
/// The most ids in an expression, in all of its lists.
const IDS_MAX: usize = 512;

/// A set of terminals of a partition that are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetExpression {
    /// All of them.
    All,
    /// Those that have a session, stale or not.
    Connected,
    /// Those with this status.
    Status(Status),
    /// Those in this condition.
    Condition(Condition),
    /// Those whose sessions this node holds.
    Node(NodeId),
    /// Those with this label.
    Label(String, String),
    /// Those with this label's key, and a value that begins with this.
    LabelPrefix(String, String),
    /// Those with this label's key, and a value that is a version and compares so with this one.
    Version(String, VersionOrder, LabelVersion),
    /// Those that have a label with this key.
    HasKey(String),
    /// Those whose session, or last one, is a plain one.
    Plain,
    /// Those whose ids begin with this.
    IdPrefix(String),
    /// Those of this list.
    Ids(Vec<TerminalId>),
    /// Those in both.
    And(Box<SetExpression>, Box<SetExpression>),
    /// Those in either.
    Or(Box<SetExpression>, Box<SetExpression>),
    /// Those that are not in it.
    Not(Box<SetExpression>),
}

/// Why an expression can't be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSet {
    /// It is too long.
    #[error("the selector is too large: leave out some of its terms")]
    Lines,
    /// It names too many terminals.
    #[error("a selector names at most {IDS_MAX} terminals in a partition")]
    Ids,
    /// A label in it has a character that no label has.
    #[error("a selector's labels have no control characters, and their keys no =")]
    Label,
}

impl SetExpression {
    /// Returns the terminals with all of these labels; all terminals if there are none.
    pub fn labels(labels: &Labels) -> Self {
        let each = labels.iter().map(|(key, value)| Self::Label(key.clone(), value.clone()));
        each.reduce(Self::and).unwrap_or(Self::All)
    }

    /// Returns the terminals that are in both sets.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::And(Box::new(self), Box::new(other))
    }

    /// Returns the terminals that are in either set.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::Or(Box::new(self), Box::new(other))
    }

    /// Returns the terminals that are not in the set.
    #[must_use]
    pub fn inverted(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// Returns the expression as scripts read it: a set a line, operators behind what they combine.
    ///
    /// # Errors
    /// If it is larger than scripts evaluate, or has a label that can't be written so.
    pub fn to_postfix(&self) -> Result<String, InvalidSet> {
        let mut written = Written::default();
        written.add(self)?;
        Ok(written.text)
    }
}

impl From<&Selector> for SetExpression {
    fn from(selector: &Selector) -> Self {
        match selector {
            Selector::All => Self::All,
            Selector::Terminal(id) => Self::Ids(vec![id.clone()]),
            Selector::Terminals(ids) => Self::Ids(ids.clone()),
            Selector::Labels(labels) => Self::labels(labels),
            Selector::Match(expression) => Self::from(expression.tree()),
        }
    }
}

/// An expression that is being written.
#[derive(Default)]
struct Written {
    text: String,
    lines: usize,
    ids: usize,
}

impl Written {
    fn add(&mut self, set: &SetExpression) -> Result<(), InvalidSet> {
        match set {
            SetExpression::All => self.line("all", ""),
            SetExpression::Connected => self.line("connected", ""),
            SetExpression::Status(Status::Online) => self.line("online", ""),
            SetExpression::Status(Status::Stale) => self.line("stale", ""),
            SetExpression::Status(Status::Offline) => self.line("offline", ""),
            SetExpression::Condition(Condition::Ok) => self.line("ok", ""),
            SetExpression::Condition(Condition::Degraded) => self.line("degraded", ""),
            SetExpression::Condition(Condition::Failing) => self.line("failing", ""),
            SetExpression::Node(node) => self.line("node", node.as_str()),
            SetExpression::Label(key, value) => self.of_key("label", key, value),
            SetExpression::LabelPrefix(key, prefix) => self.of_key("starts", key, prefix),
            SetExpression::Version(key, order, than) => self.of_key(order_name(*order), key, than.key()),
            SetExpression::HasKey(key) => self.line("has", key),
            SetExpression::Plain => self.line("plain", ""),
            SetExpression::IdPrefix(prefix) => self.line("begins", prefix),
            SetExpression::Ids(ids) => self.ids(ids),
            SetExpression::Not(one) => self.operator("not", &[one]),
            SetExpression::And(one, other) => self.operator("and", &[one, other]),
            SetExpression::Or(one, other) => self.operator("or", &[one, other]),
        }
    }

    fn of_key(&mut self, name: &str, key: &str, value: &str) -> Result<(), InvalidSet> {
        if key.contains('=') {
            return Err(InvalidSet::Label);
        }
        self.line(name, &format!("{key}={value}"))
    }

    fn ids(&mut self, ids: &[TerminalId]) -> Result<(), InvalidSet> {
        self.ids += ids.len();
        if self.ids > IDS_MAX {
            return Err(InvalidSet::Ids);
        }
        self.line("ids", &ids.iter().map(TerminalId::as_str).collect::<Vec<_>>().join(","))
    }

    fn operator(&mut self, name: &str, sets: &[&SetExpression]) -> Result<(), InvalidSet> {
        for set in sets {
            self.add(set)?;
        }
        self.line(name, "")
    }

    fn line(&mut self, name: &str, argument: &str) -> Result<(), InvalidSet> {
        self.lines += 1;
        if self.lines > LINES_MAX {
            return Err(InvalidSet::Lines);
        }
        if argument.contains(char::is_control) {
            return Err(InvalidSet::Label);
        }
        let separator = if argument.is_empty() { "" } else { ":" };
        writeln!(self.text, "{name}{separator}{argument}").expect("a string takes text");
        Ok(())
    }
}

/// Returns the name of a comparison in scripts.
fn order_name(order: VersionOrder) -> &'static str {
    match order {
        VersionOrder::Below => "below",
        VersionOrder::AtMost => "atmost",
        VersionOrder::Above => "above",
        VersionOrder::AtLeast => "atleast",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(key: &str, value: &str) -> SetExpression {
        SetExpression::Label(key.into(), value.into())
    }

    #[test]
    fn operators_stand_behind_what_they_combine() {
        let labels = label("site", "bj=1").or(label("kind", "a:b"));
        let set = labels.and(SetExpression::Not(Box::new(SetExpression::Status(Status::Online))));
        assert_eq!(set.to_postfix().unwrap(), "label:site=bj=1\nlabel:kind=a:b\nor\nonline\nnot\nand\n");
    }

    #[test]
    fn a_selector_is_an_expression() {
        let set = |json: &str| SetExpression::from(&serde_json::from_str::<Selector>(json).unwrap()).to_postfix();
        assert_eq!(set(r#"{"terminals":["b","a"]}"#).unwrap(), "ids:a,b\n");
        assert_eq!(set(r#"{"labels":{"a":"1","b":"2"}}"#).unwrap(), "label:a=1\nlabel:b=2\nand\n");
        assert_eq!(set(r#"{"all":true}"#).unwrap(), "all\n");
    }

    #[test]
    fn an_expression_is_bounded() {
        let all = |terms| (1..terms).fold(label("a", "1"), |set, _| set.and(label("a", "1")));
        assert!(all(200).to_postfix().is_ok());
        assert_eq!(all(201).to_postfix(), Err(InvalidSet::Lines));
        let ids = |count| SetExpression::Ids((0..count).map(|n| format!("t{n}").parse().unwrap()).collect());
        assert!(ids(512).to_postfix().is_ok());
        assert_eq!(ids(513).to_postfix(), Err(InvalidSet::Ids));
        assert_eq!(ids(512).and(ids(1)).to_postfix(), Err(InvalidSet::Ids));
        for bad in [label("a", "1\nall"), label("a=b", "1"), SetExpression::HasKey("\n".into())] {
            assert_eq!(bad.to_postfix(), Err(InvalidSet::Label));
        }
    }
}
