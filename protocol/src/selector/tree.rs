//! What an expression says, as a tree of its conditions.

use super::{labels::Labels, term::MatchTerm};
use crate::{SelectorName, TerminalId};

/// What an expression says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchTree {
    /// All of these; at least two.
    All(Vec<MatchTree>),
    /// One of these; at least two.
    Any(Vec<MatchTree>),
    /// Not this.
    Not(Box<MatchTree>),
    /// One condition.
    Term(MatchTerm),
    /// `@saved(NAME)`: the selector that is saved under this name. It picks no terminal until that selector replaces
    /// it.
    Saved(SelectorName),
}

impl MatchTree {
    /// Returns the terms of the tree, from left to right.
    pub fn terms(&self) -> Vec<&MatchTerm> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::terms).collect(),
            Self::Not(part) => part.terms(),
            Self::Term(term) => vec![term],
            Self::Saved(_) => Vec::new(),
        }
    }

    /// Returns whether the tree picks a terminal with this id and these labels. A term about what only the registry
    /// knows is never met.
    pub fn picks(&self, id: &TerminalId, labels: &Labels) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.picks(id, labels)),
            Self::Any(parts) => parts.iter().any(|part| part.picks(id, labels)),
            Self::Not(part) => !part.picks(id, labels),
            Self::Term(term) => term.is_met_by(id, labels),
            Self::Saved(_) => false,
        }
    }
}
