//! What an expression says, as a tree of its conditions.

use super::{labels::Labels, term::MatchTerm};
use crate::{SelectorName, TerminalId};

/// What an expression says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchTree {
    /// All of these, of which there are at least two.
    All(Vec<MatchTree>),
    /// One of these, of which there are at least two.
    Any(Vec<MatchTree>),
    /// Not this.
    Not(Box<MatchTree>),
    /// One condition.
    Term(MatchTerm),
    /// `@saved(NAME)`: what is saved under this name. Until that stands in its place, it picks no terminal.
    Saved(SelectorName),
}

impl MatchTree {
    /// Its terms, from left to right.
    pub fn terms(&self) -> Vec<&MatchTerm> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::terms).collect(),
            Self::Not(part) => part.terms(),
            Self::Term(term) => vec![term],
            Self::Saved(_) => Vec::new(),
        }
    }

    /// Whether it picks a terminal with this id and these labels. A term about what only the registry knows is never met.
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
