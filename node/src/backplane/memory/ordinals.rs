//! TerminalOrdinals: a small number for each terminal, so that a set of terminals is a bitmap.
//!
//! A terminal that is forgotten frees its ordinal. The ordinal keeps the terminal's name, and is given again only when every command
//! that was accepted before is gone: a bit in a command's bitmap never means another terminal. A terminal that comes back has another
//! ordinal, and so is a target of nothing that was accepted before.

use std::{collections::VecDeque, sync::Arc};

use muster_protocol::TerminalId;
use rustc_hash::FxHashMap;

use super::bitmap::Bitmap;
use crate::backplane::rules;

/// The ordinals that were given.
#[derive(Debug, Default)]
pub(super) struct TerminalOrdinals {
    /// The terminals by ordinal, also of ordinals that are free.
    names: Vec<TerminalId>,
    of_known: FxHashMap<TerminalId, u32>,
    /// Free ordinals that still stand for a terminal in older commands.
    of_forgotten: FxHashMap<TerminalId, Vec<u32>>,
    /// Free ordinals, and the number of the last command that may have each as a target; oldest first.
    freed: VecDeque<(u32, u64)>,
    /// The ordinals of all known terminals. Commands for all share it until it changes.
    known: Arc<Bitmap>,
    /// Changes with every terminal that becomes known or is forgotten.
    generation: u64,
}

impl TerminalOrdinals {
    /// Whether a terminal has an ordinal, or can get one. `oldest` is the number of the oldest command that is stored.
    pub(super) fn can_give(&self, terminal: &TerminalId, oldest: Option<u64>) -> bool {
        let rested = self.freed.front().is_some_and(|(_, last)| oldest.is_none_or(|oldest| oldest > *last));
        let max = rules::FREE_ORDINALS_MIN.max(rules::FREE_ORDINALS_SHARE * self.of_known.len());
        rested || self.freed.len() <= max || self.of(terminal).is_some()
    }

    /// The ordinal of a terminal, which gets one if it has none. None if so many ordinals are free that this is refused. `oldest` is
    /// the number of the oldest command that is stored.
    pub(super) fn give(&mut self, terminal: &TerminalId, oldest: Option<u64>) -> Option<u32> {
        if let Some(ordinal) = self.of(terminal) {
            return Some(ordinal);
        }
        if !self.can_give(terminal, oldest) {
            return None;
        }
        self.generation += 1;
        let rested = self.freed.pop_front_if(|(_, last)| oldest.is_none_or(|oldest| oldest > *last));
        let ordinal = match rested {
            Some((ordinal, _)) => {
                self.end_rest(ordinal);
                self.names[ordinal as usize] = terminal.clone();
                ordinal
            }
            None => {
                self.names.push(terminal.clone());
                self.names.len() as u32 - 1
            }
        };
        self.of_known.insert(terminal.clone(), ordinal);
        Arc::make_mut(&mut self.known).insert(ordinal);
        Some(ordinal)
    }

    /// Frees the ordinal of a terminal that is forgotten, and returns it. `last` is the number of the last accepted command.
    pub(super) fn free(&mut self, terminal: &TerminalId, last: u64) -> Option<u32> {
        let ordinal = self.of_known.remove(terminal)?;
        self.generation += 1;
        Arc::make_mut(&mut self.known).remove(ordinal);
        self.of_forgotten.entry(terminal.clone()).or_default().push(ordinal);
        self.freed.push_back((ordinal, last));
        Some(ordinal)
    }

    /// The ordinal of a known terminal.
    pub(super) fn of(&self, terminal: &TerminalId) -> Option<u32> {
        self.of_known.get(terminal).copied()
    }

    /// All ordinals that stand for a terminal in some command: one as long as it is known, and those that it had before it was
    /// forgotten. A command has at most one of them.
    pub(super) fn all_of(&self, terminal: &TerminalId) -> impl Iterator<Item = u32> {
        let forgotten = if self.of_forgotten.is_empty() { None } else { self.of_forgotten.get(terminal) };
        self.of(terminal).into_iter().chain(forgotten.into_iter().flatten().copied())
    }

    /// The ordinal under which a terminal's reports count: its own, and of one that is forgotten the last that it had, for what it
    /// reported just before. A terminal that came back has another ordinal than the commands from before know.
    pub(super) fn reporting(&self, terminal: &TerminalId) -> Option<u32> {
        self.of(terminal).or_else(|| self.of_forgotten.get(terminal)?.last().copied())
    }

    /// The terminal that an ordinal stands for.
    pub(super) fn name(&self, ordinal: u32) -> &TerminalId {
        &self.names[ordinal as usize]
    }

    /// The ordinals of all known terminals.
    pub(super) fn known(&self) -> &Arc<Bitmap> {
        &self.known
    }

    /// A number that changes when a name gets or loses an ordinal.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    fn end_rest(&mut self, ordinal: u32) {
        let name = &self.names[ordinal as usize];
        if let Some(others) = self.of_forgotten.get_mut(name) {
            others.retain(|other| *other != ordinal);
            if others.is_empty() {
                self.of_forgotten.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal(name: &str) -> TerminalId {
        name.parse().unwrap()
    }

    #[test]
    fn an_ordinal_rests_until_no_command_from_before_is_stored() {
        let mut ordinals = TerminalOrdinals::default();
        assert_eq!(["a", "b", "a"].map(|name| ordinals.give(&terminal(name), None)), [Some(0), Some(1), Some(0)]);
        assert_eq!(ordinals.free(&terminal("a"), 7), Some(0));
        assert_eq!(ordinals.give(&terminal("c"), Some(7)), Some(2));
        assert_eq!(ordinals.name(0).as_str(), "a");
        assert_eq!(ordinals.give(&terminal("d"), Some(8)), Some(0));
        assert_eq!(ordinals.name(0).as_str(), "d");
        assert!(ordinals.all_of(&terminal("a")).next().is_none());
    }

    #[test]
    fn a_forgotten_terminal_has_another_ordinal_when_it_comes_back() {
        let mut ordinals = TerminalOrdinals::default();
        ordinals.give(&terminal("a"), Some(1));
        ordinals.free(&terminal("a"), 1);
        assert_eq!(ordinals.all_of(&terminal("a")).collect::<Vec<_>>(), [0]);
        assert_eq!(ordinals.give(&terminal("a"), Some(1)), Some(1));
        assert_eq!(ordinals.all_of(&terminal("a")).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(ordinals.known().iter().collect::<Vec<_>>(), [1]);
        assert_eq!(ordinals.reporting(&terminal("a")), Some(1), "not what it had as a target of before");
        ordinals.free(&terminal("a"), 1);
        assert_eq!(ordinals.reporting(&terminal("a")), Some(1), "its last reports may come after it is forgotten");
    }

    #[test]
    fn too_many_free_ordinals_leave_none_for_a_new_terminal_until_one_has_rested() {
        let mut ordinals = TerminalOrdinals::default();
        ordinals.give(&terminal("known"), None);
        for number in 0..=rules::FREE_ORDINALS_MIN {
            let one = terminal(&format!("t{number}"));
            assert!(ordinals.give(&one, Some(7)).is_some(), "{number}");
            ordinals.free(&one, 7);
        }
        assert_eq!(ordinals.give(&terminal("new"), Some(7)), None);
        assert!(!ordinals.can_give(&terminal("new"), Some(7)) && ordinals.can_give(&terminal("known"), Some(7)));
        assert_eq!(ordinals.give(&terminal("known"), Some(7)), Some(0));
        assert_eq!(ordinals.give(&terminal("new"), Some(8)), Some(1), "no command of before is stored");
    }
}
