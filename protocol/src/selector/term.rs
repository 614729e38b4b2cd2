//! The conditions of an expression, each about one key.

use super::{
    labels::Labels,
    version::{LabelVersion, VersionOrder},
};
use crate::{
    NodeId, TerminalId,
    api::{Protocol, Status},
    frame::Condition,
};

/// One condition. A list in it has at least one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchTerm {
    /// `site = bj`, `site in (bj, sh)`: the label has one of these values.
    Values {
        /// The label's key.
        key: String,
        /// The values.
        any_of: Vec<String>,
    },
    /// `site ^= b`: the label's value begins with this.
    ValuePrefix {
        /// The label's key.
        key: String,
        /// The beginning.
        prefix: String,
    },
    /// `version < 2.1`: the label's value is a version that compares so.
    Version {
        /// The label's key.
        key: String,
        /// How it compares.
        order: VersionOrder,
        /// With what.
        than: LabelVersion,
    },
    /// `site exists`: the terminal has a label with this key.
    HasKey(String),
    /// `@id = t1`, `@id in (t1, t2)`
    Ids(Vec<TerminalId>),
    /// `@id ^= bj-`: the id begins with this.
    IdPrefix(String),
    /// `@status = stale`, `@status in (stale, offline)`
    Statuses(Vec<Status>),
    /// `@condition = failing`, `@condition in (degraded, failing)`
    Conditions(Vec<Condition>),
    /// `@node = n1`, `@node in (n1, n2)`: such a node holds the terminal's session.
    Nodes(Vec<NodeId>),
    /// `@node exists`: some node holds a session of the terminal.
    Connected,
    /// `@protocol = plain`: the protocol of the terminal's session, or of its last one.
    Protocols(Vec<Protocol>),
}

impl MatchTerm {
    /// Returns as how many terms this one counts: one for each entry of a list.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Values { any_of, .. } => any_of.len(),
            Self::Ids(ids) => ids.len(),
            Self::Statuses(statuses) => statuses.len(),
            Self::Conditions(conditions) => conditions.len(),
            Self::Nodes(nodes) => nodes.len(),
            Self::Protocols(protocols) => protocols.len(),
            _ => 1,
        }
    }

    /// Returns whether the id and the labels of a terminal suffice to decide whether the terminal meets this.
    pub fn is_about_id_or_labels(&self) -> bool {
        match self {
            Self::Values { .. }
            | Self::ValuePrefix { .. }
            | Self::Version { .. }
            | Self::HasKey(_)
            | Self::Ids(_)
            | Self::IdPrefix(_) => true,
            Self::Statuses(_) | Self::Conditions(_) | Self::Nodes(_) | Self::Connected | Self::Protocols(_) => false,
        }
    }

    /// Returns whether a terminal with this id and these labels meets this. False if the two do not suffice to decide.
    pub fn is_met_by(&self, id: &TerminalId, labels: &Labels) -> bool {
        match self {
            Self::Values { key, any_of } => labels.get(key).is_some_and(|value| any_of.contains(value)),
            Self::ValuePrefix { key, prefix } => labels.get(key).is_some_and(|value| value.starts_with(prefix)),
            Self::Version { key, order, than } => labels.get(key).is_some_and(|value| order.holds(value, than)),
            Self::HasKey(key) => labels.contains_key(key),
            Self::Ids(ids) => ids.contains(id),
            Self::IdPrefix(prefix) => id.as_str().starts_with(prefix),
            Self::Statuses(_) | Self::Conditions(_) | Self::Nodes(_) | Self::Connected | Self::Protocols(_) => false,
        }
    }
}
