//! Which terminals of a partition have sessions on this node, by their ordinals.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use muster_protocol::{SessionId, TerminalId};
use rustc_hash::FxHashMap;

use super::partition::bitmap;
use crate::hub::SessionInfo;

/// The ordinals of this node's sessions in one partition. A session stays in the table until what it reported was
/// written, since reports are written by ordinal.
///
/// An ordinal holds for the epoch of the store that gave it. In another epoch the same ordinal may belong to another
/// terminal. So a session whose ordinal is not of the last epoch can't be found by its ordinal until it has joined
/// again.
#[derive(Debug, Default)]
pub struct Ordinals(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    sessions: FxHashMap<u32, HeldSession>,
    ordinals: FxHashMap<TerminalId, u32>,
    /// The epoch of the store that gave the last ordinal.
    epoch: Arc<str>,
    /// Sessions that ended and are still in the table.
    ended: Vec<EndedSession>,
}

#[derive(Debug)]
struct HeldSession {
    info: Arc<SessionInfo>,
    /// The epoch of the store that gave the ordinal.
    epoch: Arc<str>,
    /// When the terminal was last heard, in milliseconds since 1970.
    heard: u64,
}

/// A session that ended.
type EndedSession = (TerminalId, SessionId);

impl Table {
    /// Returns whether an ordinal was given in this epoch.
    fn is_of(&self, ordinal: u32, epoch: &str) -> bool {
        self.sessions.get(&ordinal).is_some_and(|held| *held.epoch == *epoch)
    }
}

impl Ordinals {
    /// Adds a session that was registered in this epoch of the store.
    pub fn insert(&self, ordinal: u32, info: Arc<SessionInfo>, epoch: &str) {
        let mut table = self.lock();
        if *table.epoch != *epoch {
            table.epoch = epoch.into();
        }
        // A terminal that was forgotten gets another ordinal when it comes back. When the store was lost, all terminals
        // get other ordinals, and the old ordinal may belong to another terminal by now.
        if let Some(before) = table.ordinals.insert(info.terminal.clone(), ordinal).filter(|before| *before != ordinal)
            && table.sessions.get(&before).is_some_and(|held| held.info.terminal == info.terminal)
        {
            table.sessions.remove(&before);
        }
        let (terminal, epoch) = (info.terminal.clone(), table.epoch.clone());
        let other = table.sessions.insert(ordinal, HeldSession { info, epoch, heard: now() });
        // The other terminal joins again soon, and gets an ordinal of its own. Until then the other terminal has none.
        if let Some(other) = other.map(|held| held.info.terminal.clone()).filter(|other| *other != terminal) {
            table.ordinals.remove(&other);
        }
    }

    /// Marks a session as ended.
    pub fn end(&self, info: &SessionInfo) {
        self.lock().ended.push((info.terminal.clone(), info.session));
    }

    /// Returns the sessions that have ended so far. Give them to [`remove`](Self::remove) when all reports up to now
    /// were written.
    pub fn ended(&self) -> Vec<EndedSession> {
        self.lock().ended.clone()
    }

    /// Removes sessions that have ended. A newer session of a terminal stays.
    pub fn remove(&self, ended: &[EndedSession]) {
        let mut table = self.lock();
        let count = ended.len().min(table.ended.len());
        table.ended.drain(..count);
        for (terminal, session) in ended {
            let Some(ordinal) = table.ordinals.get(terminal).copied() else { continue };
            if table.sessions.get(&ordinal).is_some_and(|held| held.info.session == *session) {
                table.sessions.remove(&ordinal);
                table.ordinals.remove(terminal);
            }
        }
    }

    /// Returns the last epoch, and the ordinals that terminals have in it, each with what belongs to it. A terminal
    /// that has none is left out.
    pub fn of_all<'a, T>(&self, terminals: impl Iterator<Item = (&'a TerminalId, T)>) -> (Arc<str>, Vec<(u32, T)>) {
        let table = self.lock();
        let of = |terminal| table.ordinals.get(terminal).copied().filter(|ordinal| table.is_of(*ordinal, &table.epoch));
        let found = terminals.filter_map(|(terminal, rest)| Some((of(terminal)?, rest))).collect();
        (table.epoch.clone(), found)
    }

    /// Returns the ordinal of a terminal.
    #[cfg(test)]
    pub fn of(&self, terminal: &TerminalId) -> Option<u32> {
        self.lock().ordinals.get(terminal).copied()
    }

    /// Returns the terminals of a bitmap of this epoch that have a session here.
    pub fn terminals(&self, set: &[u8], epoch: &str) -> Vec<TerminalId> {
        let table = self.lock();
        let here = bitmap::ordinals(set).filter(|ordinal| table.is_of(*ordinal, epoch));
        let sessions = here.filter_map(|ordinal| table.sessions.get(&ordinal));
        sessions.map(|held| held.info.terminal.clone()).collect()
    }

    /// Records when a terminal was heard, in milliseconds since 1970.
    pub fn heard(&self, terminal: &TerminalId, at: u64) {
        let mut table = self.lock();
        let Some(ordinal) = table.ordinals.get(terminal).copied() else { return };
        if let Some(held) = table.sessions.get_mut(&ordinal) {
            held.heard = held.heard.max(at);
        }
    }

    /// Returns the ordinals of the sessions whose terminals were not heard for this time, in ascending order.
    pub fn silent(&self, longer_than: Duration) -> Vec<u32> {
        let before = now().saturating_sub(longer_than.as_millis() as u64);
        let table = self.lock();
        let silent = table.sessions.iter().filter(|(_, held)| held.heard < before);
        let mut ordinals: Vec<_> = silent.map(|(ordinal, _)| *ordinal).collect();
        ordinals.sort_unstable();
        ordinals
    }

    /// Returns all sessions, with their ordinals.
    pub fn all(&self) -> Vec<(u32, Arc<SessionInfo>)> {
        self.lock().sessions.iter().map(|(ordinal, held)| (*ordinal, held.info.clone())).collect()
    }

    /// Never locked across an await.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> u64 {
    Timestamp::now().as_millisecond().unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(terminal: &str) -> Arc<SessionInfo> {
        Arc::new(SessionInfo::fresh(terminal))
    }

    #[test]
    fn a_session_that_ended_is_there_until_its_reports_are_written_and_a_newer_one_stays() {
        let (ordinals, old, new) = (Ordinals::default(), info("t1"), info("t1"));
        let other = info("t2");
        ordinals.insert(1, old.clone(), "e");
        ordinals.insert(9, other.clone(), "e");
        ordinals.end(&old);
        ordinals.end(&other);
        let ended = ordinals.ended();
        ordinals.insert(1, new, "e");
        assert_eq!(ordinals.of(&other.terminal), Some(9), "until its reports are written");
        ordinals.remove(&ended);
        assert_eq!((ordinals.of(&old.terminal), ordinals.of(&other.terminal)), (Some(1), None));
        assert!(ordinals.ended().is_empty());
    }

    #[test]
    fn terminals_that_change_ordinals_after_the_store_was_lost_are_all_there() {
        let (ordinals, one, two) = (Ordinals::default(), info("t1"), info("t2"));
        ordinals.insert(1, one.clone(), "e");
        ordinals.insert(2, two.clone(), "e");
        ordinals.insert(2, one.clone(), "new");
        assert_eq!(
            (ordinals.of(&one.terminal), ordinals.of(&two.terminal)),
            (Some(2), None),
            "what it reports is not the other's"
        );
        ordinals.insert(1, two.clone(), "new");
        assert_eq!((ordinals.of(&one.terminal), ordinals.of(&two.terminal)), (Some(2), Some(1)));
        let mut all: Vec<_> = ordinals.all().into_iter().map(|(ordinal, info)| (ordinal, info.session)).collect();
        all.sort_unstable_by_key(|(ordinal, _)| *ordinal);
        assert_eq!(all, [(1, two.session), (2, one.session)]);
    }

    #[test]
    fn of_a_bitmap_only_those_are_found_that_are_here() {
        let ordinals = Ordinals::default();
        for (ordinal, terminal) in [(0, "a"), (9, "b"), (10, "c")] {
            ordinals.insert(ordinal, info(terminal), "e");
        }
        let found = ordinals.terminals(&bitmap::bitmap([0, 3, 9, 4000]), "e");
        assert_eq!(found.iter().map(TerminalId::as_str).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn an_ordinal_of_another_epoch_is_nobodys_until_its_session_has_joined_again() {
        let (ordinals, old, new) = (Ordinals::default(), info("old"), info("new"));
        ordinals.insert(7, old.clone(), "first");
        ordinals.insert(8, new.clone(), "second");
        let found = |terminal: &TerminalId| ordinals.of_all(std::iter::once((terminal, ())));
        assert_eq!(found(&old.terminal), ("second".into(), Vec::new()));
        assert_eq!(found(&new.terminal), ("second".into(), vec![(8, ())]));
        let set = bitmap::bitmap([7, 8]);
        assert_eq!(ordinals.terminals(&set, "second"), std::slice::from_ref(&new.terminal));
        assert_eq!(ordinals.terminals(&set, "first"), std::slice::from_ref(&old.terminal), "of the store before");
        ordinals.insert(3, old.clone(), "second");
        assert_eq!(found(&old.terminal).1, [(3, ())]);
        assert_eq!(ordinals.terminals(&set, "first"), []);
    }

    #[test]
    fn a_terminal_is_silent_until_it_is_heard_again() {
        let (ordinals, one) = (Ordinals::default(), info("t1"));
        ordinals.insert(4, one.clone(), "e");
        assert!(ordinals.silent(Duration::from_secs(60)).is_empty(), "it joined just now");
        ordinals.lock().sessions.get_mut(&4).unwrap().heard = 1;
        assert_eq!(ordinals.silent(Duration::from_secs(60)), [4]);
        ordinals.heard(&one.terminal, now());
        assert!(ordinals.silent(Duration::from_secs(60)).is_empty());
    }
}
