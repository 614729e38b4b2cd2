//! The terminals that a selector names, and whether a command for them is one for many.

use muster_protocol::{Selector, TerminalId};

/// A command that names at most so many terminals is one for few: it stands in their backlogs. One that names more is
/// one for many, and its targets are put together in portions of so many.
pub const NAMED_MAX: usize = 512;

/// Returns the terminals that a selector names, each once; none if it names none.
pub fn named(selector: &Selector) -> Vec<TerminalId> {
    let mut named = match selector {
        Selector::Terminal(id) => vec![id.clone()],
        Selector::Terminals(ids) => ids.clone(),
        Selector::All | Selector::Labels(_) | Selector::Match(_) => Vec::new(),
    };
    named.sort_unstable();
    named.dedup();
    named
}

/// Returns the targets that the seal of a command covers. None if it is one for many.
pub fn sealed_targets(selector: &Selector) -> Option<&[TerminalId]> {
    match selector {
        Selector::Terminal(id) => Some(std::slice::from_ref(id)),
        Selector::Terminals(ids) if named(selector).len() <= NAMED_MAX => Some(ids),
        Selector::Terminals(_) | Selector::All | Selector::Labels(_) | Selector::Match(_) => None,
    }
}
