//! The hub: this node's table of sessions, by terminal. Beside it, what else the floors above ask about the node
//! itself.
//!
//! ```text
//!   Hub          terminal ──▶ where its session is, and who it is
//!   SessionInfo  what never changes while a session lasts
//!   Lifecycle    ready ──▶ leaving ──▶ draining
//!   Shortages    what the node has too little of
//! ```
//!
//! The table has no task, only a lock, which nobody holds across an await. A broadcast does not look at the table: the
//! broadcast goes to the mailbox of each shard, and each shard knows its own sockets.

mod info;
mod lifecycle;
#[cfg(all(test, feature = "shuttle"))]
mod models;
mod shortages;

use std::sync::{Arc, PoisonError};

use muster_protocol::{SessionId, TerminalId};
use rustc_hash::FxHashMap;

pub use self::{
    info::SessionInfo,
    lifecycle::Lifecycle,
    shortages::{Resource, Shortage, Shortages},
};
use crate::{
    auth::TokenMark,
    sync::{Mutex, MutexGuard},
};

/// The address of a session inside this node.
///
/// A message for a session that has ended does not reach the next session with the same key, because their session ids
/// differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionAddr {
    /// The index of the shard.
    pub shard: usize,
    /// The slot in the shard's table of sockets.
    pub key: usize,
    /// The session.
    pub session: SessionId,
}

/// The table of this node's sessions: at most one entry for each terminal.
#[derive(Debug, Default)]
pub struct Hub {
    entries: Mutex<FxHashMap<TerminalId, Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    info: Arc<SessionInfo>,
    /// The slot of the session in its shard. Slots fit in 32 bits, because a shard has no more of them than
    /// descriptors.
    key: u32,
    shard: u32,
    /// The token by which the session lives. None if none was verified.
    token: Option<Arc<TokenMark>>,
}

impl Entry {
    fn addr(&self) -> SessionAddr {
        SessionAddr { shard: self.shard as usize, key: self.key as usize, session: self.info.session }
    }
}

impl Hub {
    /// Inserts a session. Of two sessions of one terminal the newer stays. Returns the address of the older, which must
    /// end and may be the inserted session; none if the terminal had no session.
    pub fn insert(&self, info: Arc<SessionInfo>, addr: SessionAddr) -> Option<SessionAddr> {
        let mut entries = self.entries();
        match entries.get(&info.terminal) {
            Some(entry) if entry.info.session > addr.session => Some(addr),
            _ => {
                let (key, shard) = (addr.key as u32, addr.shard as u32);
                entries.insert(info.terminal.clone(), Entry { info, key, shard, token: None }).map(|older| older.addr())
            }
        }
    }

    /// Removes the entry of `terminal` if it still belongs to `session`.
    ///
    /// Compares the ids under the lock. So a session that ends late never evicts the newer session of its terminal.
    pub fn remove(&self, terminal: &TerminalId, session: SessionId) {
        let mut entries = self.entries();
        if entries.get(terminal).is_some_and(|entry| entry.info.session == session) {
            entries.remove(terminal);
        }
    }

    /// Returns the address of the terminal's session, or none if the terminal has no session here.
    pub fn addr(&self, terminal: &TerminalId) -> Option<SessionAddr> {
        self.entries().get(terminal).map(|entry| entry.addr())
    }

    /// Returns the addresses of the sessions that `terminals` have here. Takes the lock once for all.
    pub fn addrs(&self, terminals: &[TerminalId]) -> Vec<SessionAddr> {
        let entries = self.entries();
        terminals.iter().filter_map(|terminal| entries.get(terminal)).map(|entry| entry.addr()).collect()
    }

    /// Returns the addresses of the sessions whose info `is_wanted` accepts.
    pub fn addrs_where(&self, is_wanted: impl Fn(&SessionInfo) -> bool) -> Vec<SessionAddr> {
        self.entries().values().filter(|entry| is_wanted(&entry.info)).map(|entry| entry.addr()).collect()
    }

    /// Records the token by which a session lives, in place of an older one. Does nothing if the session is not here.
    pub fn set_token(&self, terminal: &TerminalId, session: SessionId, token: Arc<TokenMark>) {
        if let Some(entry) = self.entries().get_mut(terminal).filter(|entry| entry.info.session == session) {
            entry.token = Some(token);
        }
    }

    /// Returns the address of each session that lives by a verified token, and the token.
    pub fn tokens(&self) -> Vec<(SessionAddr, Arc<TokenMark>)> {
        let entries = self.entries();
        entries.values().filter_map(|entry| Some((entry.addr(), entry.token.clone()?))).collect()
    }

    /// Returns whether the terminal has a session here.
    pub fn has(&self, terminal: &TerminalId) -> bool {
        self.entries().contains_key(terminal)
    }

    /// Returns the info of every session.
    pub fn infos(&self) -> Vec<Arc<SessionInfo>> {
        self.entries().values().map(|entry| entry.info.clone()).collect()
    }

    /// Returns the number of sessions.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Returns whether there is no session.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn entries(&self) -> MutexGuard<'_, FxHashMap<TerminalId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn insert(hub: &Hub, session: SessionId) -> Option<SessionAddr> {
        let info = SessionInfo { session, ..SessionInfo::fresh("t1") };
        hub.insert(Arc::new(info), SessionAddr { shard: 0, key: 0, session })
    }

    #[test]
    fn the_newer_session_stays_in_whichever_order_they_come() {
        let (older, newer) = (SessionId(Uuid::now_v7()), SessionId(Uuid::now_v7()));
        let hub = Hub::default();
        assert_eq!(insert(&hub, older), None);
        assert_eq!(insert(&hub, newer).unwrap().session, older);
        assert_eq!(insert(&hub, older).unwrap().session, older);
    }

    #[test]
    fn a_late_goodbye_does_not_evict_the_newer_session() {
        let (older, newer) = (SessionId(Uuid::now_v7()), SessionId(Uuid::now_v7()));
        let hub = Hub::default();
        insert(&hub, older);
        insert(&hub, newer);
        hub.remove(&"t1".parse().unwrap(), older);
        assert_eq!(hub.len(), 1);
        hub.remove(&"t1".parse().unwrap(), newer);
        assert!(hub.is_empty());
    }
}
